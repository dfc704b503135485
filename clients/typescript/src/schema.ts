/**
 * The paths and types of Stowage, made by openapi-typescript from `stowage api openapi`.
 * Do not edit it. `npm run generate` writes it.
 */

export interface paths {
    "/getStorageSpaceInfo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Usage of the space by collection
         * @description Usage of the space by collection. The cost does not depend on the number of files.
         */
        post: operations["getStorageSpaceInfo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/downloadStorageFileTask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Downloads a file
         * @description Downloads a file. The task appears in the progress feed. `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP). The hash is looked up in this platform. Without `downloadPath` the file goes to the folder of the platform. A known `taskId` resumes or restarts that task. An unknown one becomes the identifier of the new task.
         */
        post: operations["downloadStorageFileTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/getAllDownloadOrUploadFileProgress": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Subscribes a key on the websocket to the tasks of one direction and one platform
         * @description Subscribes a key on the websocket to the tasks of one direction and one platform. `type` is 0 to 1 (0 upload, 1 download). `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP). The client chooses the key, 1 to 128 characters. With `status`, only tasks in this status; `status` is -1 to 5. Status of uploads: -1 initial, 0 waiting, 1 success, 2 uploading, 3 failed, 4 paused, 5 not enough space. Status of downloads: -1 initial, 0 invalid, 1 downloading, 2 paused, 3 deleted, 4 complete, 5 failed.
         */
        post: operations["getAllDownloadOrUploadFileProgress"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/initStorage$IMDataFromSdk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Syncs the local lists with the space
         * @description Syncs the local lists with the space. Only changed segments are fetched.
         */
        post: operations["initStorage_IMDataFromSdk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deleteImBackups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Deletes a backup file, or a folder with all its contents */
        post: operations["deleteImBackups"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/getImBackupsFileList": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A folder's backup files, oldest first unless `order` says otherwise
         * @description A folder's backup files, oldest first unless `order` says otherwise. `page` is 1 to 4294967295; `pageSize` is 1 to 1000. Without both: the first 1000.
         */
        post: operations["getImBackupsFileList"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/getImBackupsFolderList": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Backup folders, oldest first unless `order` says otherwise: those in `parent`, or all if it is empty or absent
         * @description Backup folders, oldest first unless `order` says otherwise: those in `parent`, or all if it is empty or absent. `startTime` and `endTime` are inclusive, in seconds or, from 100000000000 on, in milliseconds. `page` is 1 to 4294967295; `pageSize` is 1 to 1000. Without both: the first 1000.
         */
        post: operations["getImBackupsFolderList"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/searchImBackupsList": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Backup folders and files whose name contains a keyword, ignoring case
         * @description Backup folders and files whose name contains a keyword, ignoring case. An empty keyword matches all.
         */
        post: operations["searchImBackupsList"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/createImFavoriteFolder": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a favourites folder
         * @description Makes a favourites folder. The name is trimmed, 1 to 255 characters without control characters.
         */
        post: operations["createImFavoriteFolder"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deleteImFavoriteFolder": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Deletes a favourites folder and every favourite in it */
        post: operations["deleteImFavoriteFolder"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/getImFavoriteFolders": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A page of the favourites folders: the default folder first, then oldest first (newest first with `desc`)
         * @description A page of the favourites folders: the default folder first, then oldest first (newest first with `desc`). `page` is 1 to 4294967295; `pageSize` is 1 to 1000.
         */
        post: operations["getImFavoriteFolders"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/getImFavoriteList": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A page of a folder's favourites, oldest first unless `order` says otherwise
         * @description A page of a folder's favourites, oldest first unless `order` says otherwise. `keyword` matches file names, message texts and nicknames, ignoring case. `startTime` and `endTime` are inclusive, in seconds or, from 100000000000 on, in milliseconds. `type` is 0 to 4 (0 all, 1 image or video, 2 file, 3 text, 4 voice). `page` is 1 to 4294967295; `pageSize` is 1 to 1000.
         */
        post: operations["getImFavoriteList"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/renameImFavoriteFolder": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Renames a favourites folder
         * @description Renames a favourites folder. Its current name is no error.
         */
        post: operations["renameImFavoriteFolder"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/getLocalTempFileList": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A page of a conversation's temp files, newest first unless `order` says otherwise
         * @description A page of a conversation's temp files, newest first unless `order` says otherwise. `keyword` matches file names and message texts, ignoring case. `type` is 0 to 4 (0 all, 1 image or video, 2 file, 3 text, 4 voice). `page` is 1 to 4294967295; `pageSize` is 1 to 1000.
         */
        post: operations["getLocalTempFileList"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/getLocalTempFolderList": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A page of the conversations with temp files, newest first unless `order` says otherwise
         * @description A page of the conversations with temp files, newest first unless `order` says otherwise. `page` is 1 to 4294967295; `pageSize` is 1 to 1000.
         */
        post: operations["getLocalTempFolderList"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/localTempFileToFavorite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Uploads temp files to the default favourites folder, one task a file (platform 2 of the feed)
         * @description Uploads temp files to the default favourites folder, one task a file (platform 2 of the feed). All or nothing.
         */
        post: operations["localTempFileToFavorite"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/localTempFileToStorage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Uploads temp files to the cloud storage, one task a file (platform 3 of the feed)
         * @description Uploads temp files to the cloud storage, one task a file (platform 3 of the feed). All or nothing.
         */
        post: operations["localTempFileToStorage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/searchLocalTempFile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Conversations and temp files that match a keyword
         * @description Conversations and temp files that match a keyword. An empty keyword matches all.
         */
        post: operations["searchLocalTempFile"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/addImBackup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Adds a backup file to a folder and returns its row
         * @description Adds a backup file to a folder and returns its row. The blob of `hash` must be in the space. Without `unique` the row gets a new UUID; with the `unique` of a known backup, that one is replaced. `type` is 1 single chat, 2 group chat. `time` is in seconds; absent: now. `isCrypt` is 0 to 1, as in `addImFavorite`.
         */
        post: operations["transferApi_addImBackup"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/addImBackupFolder": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Adds a folder of backups, at the top or in `parent`, and returns its row
         * @description Adds a folder of backups, at the top or in `parent`, and returns its row. The name is trimmed, 1 to 255 characters without control characters. Without `unique` the folder gets a new UUID; with the `unique` of a known folder, that one is replaced. `time` is in seconds; absent: now.
         */
        post: operations["transferApi_addImBackupFolder"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/addImFavorite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Adds a favourite to a folder (absent: the default one) and returns its row
         * @description Adds a favourite to a folder (absent: the default one) and returns its row. A text message needs no `hash`; without one it gets its `msgId`. Any other one needs the hash of a blob in the space, because other devices read the row. Without `unique` the row gets a new UUID; with the `unique` of a known favourite, that one is replaced. `time` is in seconds; absent: now. `isCrypt` is 0 to 1: 1 for a blob that a password opens. It is known for a blob that another row names.
         */
        post: operations["transferApi_addImFavorite"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/deleteImFavorites": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deletes favourites
         * @description Deletes favourites. A blob that no other row names goes with them.
         */
        post: operations["transferApi_deleteImFavorites"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/moveImFavorites": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Moves favourites to a folder */
        post: operations["transferApi_moveImFavorites"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/createStorageFolder": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a folder and returns it
         * @description Makes a folder and returns it. The name is trimmed, 1 to 255 characters without control characters.
         */
        post: operations["transferApi_createStorageFolder"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/deleteStorageFiles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deletes files, and folders with all their contents
         * @description Deletes files, and folders with all their contents. A blob that no other row names goes with them.
         */
        post: operations["transferApi_deleteStorageFiles"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/getStorageFile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The file with this hash, or the folder with this identifier */
        post: operations["transferApi_getStorageFile"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/listStorageFiles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A page of a folder: the folders in it, then the files, each oldest first unless `order` says otherwise
         * @description A page of a folder: the folders in it, then the files, each oldest first unless `order` says otherwise. `keyword` matches names, ignoring case. `type` is 0 to 4 (0 all, 1 image or video, 2 file, 3 text, 4 voice); absent: all. With a type, only files are listed. `page` is 1 to 4294967295; `pageSize` is 1 to 1000.
         */
        post: operations["transferApi_listStorageFiles"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/moveStorageFile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Moves a file, or a folder with all its contents, to another folder */
        post: operations["transferApi_moveStorageFile"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/renameStorageFile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Renames a file or a folder
         * @description Renames a file or a folder. Its current name is no error. The name is trimmed, 1 to 255 characters without control characters.
         */
        post: operations["transferApi_renameStorageFile"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/cancelTask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stops tasks for good: their status is failed, their code 499
         * @description Stops tasks for good: their status is failed, their code 499. What was transferred is kept until `retryTask` or `removeTask`. A finished task stays as it is.
         */
        post: operations["transferApi_cancelTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/getLimits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The limits in force */
        post: operations["transferApi_getLimits"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/listTasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A page of the tasks, newest first unless `order` says otherwise: of a direction, a platform and a status, or all
         * @description A page of the tasks, newest first unless `order` says otherwise: of a direction, a platform and a status, or all. `type` is 0 to 1 (0 upload, 1 download). `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP). `status` is -1 to 5. `page` is 1 to 4294967295; `pageSize` is 1 to 1000.
         */
        post: operations["transferApi_listTasks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/markTaskViewed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Marks tasks as seen: `view` is 1 in the feed */
        post: operations["transferApi_markTaskViewed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/pauseAll": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pauses all unfinished tasks of a direction and a platform, or of all
         * @description Pauses all unfinished tasks of a direction and a platform, or of all. Returns how many it concerned. `type` is 0 to 1 (0 upload, 1 download). `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP).
         */
        post: operations["transferApi_pauseAll"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/pauseTask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pauses tasks
         * @description Pauses tasks. They keep what they have, also after a restart, and continue after `resumeTask`. A finished task stays as it is.
         */
        post: operations["transferApi_pauseTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/removeTask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Forgets tasks, and removes what they have not finished
         * @description Forgets tasks, and removes what they have not finished. Downloaded files stay. A repeated call answers 60001, because the task does not exist any more.
         */
        post: operations["transferApi_removeTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/resumeAll": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Continues all paused tasks of a direction and a platform, or of all
         * @description Continues all paused tasks of a direction and a platform, or of all. Returns how many it concerned. `type` is 0 to 1 (0 upload, 1 download). `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP).
         */
        post: operations["transferApi_resumeAll"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/resumeTask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Continues paused tasks
         * @description Continues paused tasks. A task that is not paused stays as it is.
         */
        post: operations["transferApi_resumeTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/retryTask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begins failed, cancelled, deleted or invalid tasks again
         * @description Begins failed, cancelled, deleted or invalid tasks again. Others stay as they are.
         */
        post: operations["transferApi_retryTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/setLimits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sets limits; 0 means none, and an absent one stays as it is
         * @description Sets limits; 0 means none, and an absent one stays as it is. They are durable, and also apply to tasks that run already. Returns the limits in force.
         */
        post: operations["transferApi_setLimits"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/setTaskLimit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sets the most bytes a second of tasks; 0 means no limit of their own */
        post: operations["transferApi_setTaskLimit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/setTaskPriority": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sets the place of tasks in the queue
         * @description Sets the place of tasks in the queue. `priority` is 0 to 9. Higher ones begin first. A new task has 5. A task that runs is not interrupted.
         */
        post: operations["transferApi_setTaskPriority"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/addLocalTempFile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Adds a file to a conversation and returns its row
         * @description Adds a file to a conversation and returns its row. The conversation is made if it does not exist, with `nodeAddress` and `type` (1 single chat, 2 group chat). A text message needs no `hash`. Any other one needs the hash of a blob that the space or this machine has. Without `unique` the row gets a new UUID; with the `unique` of a known file, that one is replaced. `time` is in milliseconds; absent: now. `isCrypt` is 0 to 1, as in `addImFavorite`.
         */
        post: operations["transferApi_addLocalTempFile"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/deleteLocalTempFiles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deletes temp files
         * @description Deletes temp files. A blob that no other row names goes with them.
         */
        post: operations["transferApi_deleteLocalTempFiles"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/deleteLocalTempFolder": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Deletes a conversation with all its temp files */
        post: operations["transferApi_deleteLocalTempFolder"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/removeFilePassword": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Removes the password of a file, in the same way
         * @description Removes the password of a file, in the same way. `platform` is 0 to 3 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage). A file without a password stays as it is.
         */
        post: operations["transferApi_removeFilePassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/setFilePassword": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sets or changes the password of a file
         * @description Sets or changes the password of a file. `platform` is 0 to 3 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage). If none protects it, `password` becomes its password. Else `password` is the present one and `newPassword` the next. The file is encrypted again and uploaded as a task; when its bytes are durable, the rows of the platform name the new blob, and the old one goes.
         */
        post: operations["transferApi_setFilePassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/transferApi/uploadFile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Uploads a file of this machine
         * @description Uploads a file of this machine. `path` is absolute, in a directory that the host may upload from. `platform` is 0 to 3 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage). The other parameters are the fields of the platform's row, which is written when the bytes are durable:
         *
         *     | platform | fields |
         *     |---|---|
         *     | 0 | `parent` (a backup folder, required), unique, node-id, type, message-num, nickname, domain-name, time (seconds) |
         *     | 1 | `parent` (the conversation, required; made if it does not exist), unique, msg-id, msg-content, msg-type, node-address, type (of the conversation), time (milliseconds) |
         *     | 2 | `favId` (a folder; absent: the default one), unique, msg-id, msg-content, msg-type, node-address, origin-nickname, time (seconds) |
         *     | 3 | `storagePath` (folder identifiers; absent: the root), thumb, time (milliseconds) |
         *
         *     In the cloud storage the same bytes are one file: if it is there already, it gets the new name and place. Two files of a folder may have one name.
         *
         *     `name` is trimmed, at most 255 characters without control characters. Without it the file keeps its name, without `unique` the row gets a new UUID, without `time` the time is now. With `filePassword` the bytes are encrypted before they leave this machine.
         */
        post: operations["transferApi_uploadFile"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Receives a file
         * @description The body is the file. When the answer comes, the bytes are durable on this machine, and a task uploads them to the space. The fields of the row, as in `uploadFile`, are further parameters of the query.
         */
        put: operations["putFile"];
        /**
         * Receives a file of a form
         * @description The form has two parts: first a JSON object with `platform`, the fields of the row and perhaps `filePassword`, then the file. The names of the parts do not matter. Without `name` in the JSON, the file name of the second part counts.
         */
        post: operations["postFile"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/files/{hash}": {
        parameters: {
            query?: {
                /** @description Restricts the search to one platform: 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP. */
                platform?: components["parameters"]["onlyPlatform"];
            };
            header?: {
                /** @description The password of the file, as percent-encoded UTF-8. */
                "Stowage-File-Password"?: components["parameters"]["filePassword"];
            };
            path: {
                /** @description Base58 of the SHA-256 of the stored bytes. */
                hash: components["parameters"]["hash"];
            };
            cookie?: never;
        };
        /**
         * Sends a file, or a part of it
         * @description The bytes of a whole file are verified while they are sent. A protected file is sent as it is stored; with its password it is opened, and always sent as a whole.
         */
        get: operations["getFile"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        /** Tells the size and the name of a file */
        head: operations["headFile"];
        patch?: never;
        trace?: never;
    };
    "/files/uploads": {
        parameters: {
            query?: never;
            header: {
                /** @description The version of tus. */
                "Tus-Resumable": components["parameters"]["tusResumable"];
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes an upload in several pieces */
        post: operations["createUpload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/files/uploads/{id}": {
        parameters: {
            query?: never;
            header: {
                /** @description The version of tus. */
                "Tus-Resumable": components["parameters"]["tusResumable"];
            };
            path: {
                /** @description The upload, as `Location` gave it. */
                id: components["parameters"]["uploadId"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Forgets an upload */
        delete: operations["deleteUpload"];
        options?: never;
        /** Tells how many bytes of an upload are durable */
        head: operations["headUpload"];
        /**
         * Receives more bytes of an upload
         * @description With the last byte the file is stored as in one piece.
         */
        patch: operations["appendToUpload"];
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * This description
         * @description It is made from the modules that serve now.
         */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        /** Tells whether this description has changed */
        head: operations["headOpenApi"];
        patch?: never;
        trace?: never;
    };
    "/asyncapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The description of the progress feed, as AsyncAPI 3.0 */
        get: operations["getAsyncApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        /** Tells whether the description of the feed has changed */
        head: operations["headAsyncApi"];
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A backup file. */
        BackupFile: {
            /** @description The file's identity. */
            unique: string;
            /** @description Base58 of the SHA-256 of its bytes. */
            hash: string;
            /** @description The folder it is in. */
            parent: string;
            /** @description The node the messages are with. */
            nodeId: string;
            /** @description 1 single chat, 2 group chat. */
            type: number;
            /** @description The file's name. */
            name: string;
            /** @description When the backup was made, in seconds since the epoch. */
            time: number;
            /** @description The size as text. */
            size: string;
            /** @description Messages in it. */
            messageNum: number;
            /** @description The nickname of who the messages are with. */
            nickname: string;
            /** @description The domain name, or empty. */
            domainName: string;
        };
        /** @description A folder of backups. */
        BackupFolder: {
            /** @description The folder's identity. */
            unique: string;
            /** @description The folder it is in; empty at the top. */
            parent: string;
            /** @description Its name. */
            name: string;
            /** @description When the backup was made, in seconds since the epoch. */
            time: number;
            /** @description The files' size as text. */
            size: string;
            /** @description Messages of single chats in its files. */
            singleChatNum: number;
            /** @description Messages of group chats in its files. */
            groupChatNum: number;
        };
        /** @description What a search found. */
        BackupSearch: {
            /** @description Folders that match or contain a matching file, oldest first. */
            folders: components["schemas"]["BackupFolder"][];
            /** @description The first 1000 matching files, oldest first. */
            files: components["schemas"]["BackupFile"][];
        };
        /** @description A favourite. */
        Favorite: {
            /** @description The favourite's identity. */
            unique: string;
            /** @description The message it came from. */
            msgId: string;
            /** @description The message as JSON text, as the client wrote it. A text message has its text in the field `text`: `{"text":"hello"}`. A picture or a video may have the address of its thumbnail in the field `thumb`. */
            msgContent: string;
            /** @description The message's type, as the client numbers them. */
            msgType: number;
            /** @description The file's hash, or the message's for a text. */
            hash: string;
            /** @description The file's name, empty for a text. */
            name: string;
            /** @description When it was added, in seconds since the epoch. */
            time: number;
            /** @description The node the message came from. */
            nodeAddress: string;
            /** @description The nickname of the sender. */
            originNickname: string;
        };
        /** @description A folder of favourites. */
        FavoriteFolder: {
            /** @description A UUID, or `1` for the default folder. */
            id: string;
            /** @description The folder's name, unique among favourites folders. */
            name: string;
            /** @description When it was made, in milliseconds since the epoch. */
            time: number;
        };
        /** @description The platform, and the fields of the row as in `uploadFile`. */
        FileFields: {
            /** @description 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage. */
            platform: number;
            /** @description The name of the file. */
            name?: string;
            /** @description The password that encrypts the file. */
            filePassword?: string;
        } & {
            [key: string]: string | number | boolean | null;
        };
        /** @description The limits of all tasks together. 0 means no limit. */
        Limits: {
            /** @description Bytes a second of all downloads. */
            downloadBytesPerSecond: number;
            /** @description Bytes a second of all uploads. */
            uploadBytesPerSecond: number;
            /** @description Downloads that run at once. */
            maxDownloads: number;
            /** @description Uploads that run at once. */
            maxUploads: number;
        };
        /**
         * @description The order of a list, by time.
         * @enum {string}
         */
        Order: "asc" | "desc";
        /** @description Why the server refused a request before a module saw it. */
        Refusal: {
            /** @description 700, or the code of the API that says why. */
            code: number;
            /** @description What was wrong, for a person. */
            message: string;
            data: null;
        };
        /** @description Usage of the space. Sizes are text (`11.96 MB`). Shares are percent of the whole, rounded up. */
        SpaceInfo: {
            /** @description Cloud storage files. */
            storageSize: string;
            /** @description Their share. */
            storageScale: number | null;
            /** @description Favourites. */
            collectSize: string;
            /** @description Their share. */
            collectScale: number | null;
            /** @description Chat backups. */
            backupsSize: string;
            /** @description Their share. */
            backupsScale: number | null;
            /** @description DAPP files. */
            dappSize: string;
            /** @description Local temp files. */
            tempFilesSize: string;
            /** @description All of the above together. */
            occupySize: string;
            /** @description What is left. */
            remainingSize: string;
            /** @description The whole space. */
            totalSize: string;
            /** @description 100 minus the shares of storage, favourites and backups. */
            remainingScale: number | null;
        };
        /** @description A file or a folder. */
        StorageEntry: {
            /** @description The hash of a file, or the identifier of a folder. */
            unique: string;
            /** @description Whether it is a folder. */
            isFolder: boolean;
            /** @description Its name. */
            name: string;
            /** @description The hash of a file; empty for a folder. */
            hash: string;
            /** @description The path of the folder that it is in. */
            path: string;
            /** @description The extension with its dot, or empty. */
            ext: string;
            /** @description The thumbnail's address, or empty. */
            thumb: string;
            /** @description The size of a file as text; empty for a folder. */
            size: string;
            /** @description When it was stored, in milliseconds since the epoch. */
            time: number;
            /** @description 1 image or video, 2 file, 3 text, 4 voice; 0 for a folder. */
            type: number;
            /** @description 1 if the stored bytes are encrypted and a password opens them, else 0. */
            isCrypt: number;
        };
        /** @description The file is durable on this machine. */
        StoredFile: {
            /** @constant */
            code: 200;
            message: null;
            data: {
                /** @description The task that uploads the file to the space. */
                taskId: string;
                /** @description Base58 of the SHA-256 of the stored bytes. */
                hash: string;
            };
        };
        /** @description A row of the progress feed. */
        TaskRow: {
            /** @description The task's number. A later task has a higher one. */
            id: number;
            /** @description The name of the file. */
            name: string;
            /** @description The thumbnail's address, or empty. */
            thumb: string;
            /** @description Base58 of the SHA-256 of the stored bytes. */
            hash: string;
            /** @description 1 if the stored bytes are encrypted and a password opens them, else 0. Without the right password a download of such a file fails with code 60004. */
            isCrypt: number;
            /** @description Bytes stored. */
            size: number;
            /** @description When the task was made, in milliseconds since the epoch. */
            time: number;
            /** @description The folder identifiers that lead to the file, or empty. */
            path: string;
            /** @description Where a downloaded file is or will be. Empty for an upload. */
            folderPath: string;
            /** @description The file that is uploaded. Empty for a download. */
            sourcePath: string;
            /** @description The extension with its dot, or empty. */
            ext: string;
            /** @description 0 upload, 1 download. */
            type: number;
            /** @description Percent of the bytes transferred. 100 only for a complete task. */
            progress: number;
            /** @description 1 if a person has seen the task, else 0. */
            view: number;
            /** @description Uploads: -1 initial, 0 waiting, 1 success, 2 uploading, 3 failed, 4 paused, 5 not enough space. Downloads: -1 initial, 0 invalid, 1 downloading, 2 paused, 3 deleted, 4 complete, 5 failed. */
            status: number;
            /** @description The task's identifier. */
            taskId: string;
            /** @description Why the task failed or waits. 0 no error, 403 the space refuses access, 422 the bytes were wrong twice, 499 cancelled, 500 it failed, 503 it is tried again by itself, 507 the disk is full (a download continues by itself when there is room), 60001 no such file, 60004 a password is needed or wrong. */
            code: number;
            /** @description The platform: 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP. */
            shareIndex: number;
            /** @description Bytes a second now; 0 unless the task runs. */
            speed: number;
            /** @description Seconds to the end at this speed; 0 if unknown. */
            remaining: number;
            /** @description The place in the queue, 0 to 9. Higher ones begin first. */
            priority: number;
        };
        /** @description A temp file. */
        TempFile: {
            /** @description The file's identity. */
            unique: string;
            /** @description The conversation it belongs to. */
            parent: string;
            /** @description Base58 of the SHA-256 of its bytes. */
            hash: string;
            /** @description The message it came with. */
            msgId: string;
            /** @description The message as JSON text, as the client wrote it. A text message has its text in the field `text`: `{"text":"hello"}`. A picture or a video may have the address of its thumbnail in the field `thumb`. */
            msgContent: string;
            /** @description The message's type, as the client numbers them. */
            msgType: number;
            /** @description The extension with its dot, `.other` where unknown. */
            ext: string;
            /** @description The size as text. */
            size: string;
            /** @description The file's name. */
            name: string;
            /** @description When it was received, in milliseconds since the epoch. */
            time: number;
        };
        /** @description The temp files of one conversation. */
        TempFolder: {
            /** @description The conversation. */
            unique: string;
            /** @description The node or group of the conversation. */
            nodeAddress: string;
            /** @description 1 single chat, 2 group chat. */
            type: number;
            /** @description Files in it now. */
            fileNum: number;
            /** @description When it was made, in milliseconds since the epoch. */
            time: number;
            /** @description The files' size as text, for example `11.96 MB`. */
            size: string;
        };
        /** @description What a search found. */
        TempSearch: {
            /** @description Conversations that match or contain a matching file, oldest first. */
            folders: components["schemas"]["TempFolder"][];
            /** @description The first 1000 matching files, oldest first. */
            files: components["schemas"]["TempFile"][];
        };
        /** @description An upload that was accepted. */
        Upload: {
            /** @description The task, which the progress feed shows. */
            taskId: string;
            /** @description Base58 of the SHA-256 of the stored bytes. */
            hash: string;
        };
    };
    responses: {
        /** @description The request was refused before a module saw it: 400 the body was cut off, 401 the token is missing or wrong, 403 the Origin is not allowed, 405 the method, 408 the body did not come in time, 413 the body is too large, 415 the content type, 421 the Host is not the server's, 429 too many wrong tokens came from this client, 431 the head is too large. */
        Refused: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Refusal"];
            };
        };
        /** @description The request failed. The code says why. */
        FileRefused: {
            headers: {
                "Stowage-Code": components["headers"]["Stowage-Code"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Refusal"];
            };
        };
        /** @description The request failed. An answer to HEAD has no body. */
        RefusedWithoutBody: {
            headers: {
                [name: string]: unknown;
            };
            content?: never;
        };
        /** @description The file is durable on this machine. */
        Received: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["StoredFile"];
            };
        };
        /** @description The description. `ETag` changes with it. */
        Description: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": Record<string, never>;
            };
        };
        /** @description The description is there. `ETag` changes with it. */
        DescriptionHead: {
            headers: {
                [name: string]: unknown;
            };
            content?: never;
        };
    };
    parameters: {
        /** @description 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage. */
        platform: number;
        /** @description Restricts the search to one platform: 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP. */
        onlyPlatform: number;
        /** @description The name of the file. */
        fileName: string;
        /** @description The other fields of the row, each as a parameter of its own. */
        rowFields: {
            [key: string]: string;
        };
        /** @description The password of the file, as percent-encoded UTF-8. */
        filePassword: string;
        /** @description Base58 of the SHA-256 of the stored bytes. */
        hash: string;
        /** @description One part of the file: `bytes=0-99`. */
        range: string;
        /** @description The entity tag of what the client has. */
        ifNoneMatch: string;
        /** @description The version of tus. */
        tusResumable: "1.0.0";
        /** @description The upload, as `Location` gave it. */
        uploadId: string;
        /** @description The bytes of the whole file. */
        uploadLength: number;
        /** @description The length comes later. */
        uploadDeferLength: number;
        /** @description `name` (or `filename`), `platform` and the fields of the row: keys, each followed by its value in base64, with commas between them. */
        uploadMetadata: string;
        /** @description Where the bytes belong. */
        uploadOffset: number;
        /** @description `sha1` or `sha256`, and the checksum of the body in base64. */
        uploadChecksum: string;
    };
    requestBodies: never;
    headers: {
        /** @description The code of the envelope. */
        "Stowage-Code": number;
        /** @description The hash of the file. */
        ETag: string;
        /** @description An attachment, with the name of the file. */
        "Content-Disposition": string;
        /** @description Which bytes of how many these are. */
        "Content-Range": string;
        /** @description The path of the upload. */
        Location: string;
        /** @description The bytes that are durable. */
        "Upload-Offset": number;
        /** @description When the upload is removed if no more bytes come. */
        "Upload-Expires": string;
        /** @description Base58 of the SHA-256 of the stored bytes. */
        "Stowage-Hash": string;
        /** @description The task that uploads the file to the space. */
        "Stowage-Task-Id": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getStorageSpaceInfo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["SpaceInfo"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    downloadStorageFileTask: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    hash: string;
                    /** @description `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP). */
                    platform: number;
                    /** @description A known `taskId` resumes or restarts that task. */
                    taskId?: string | null;
                    /** @description Without `downloadPath` the file goes to the folder of the platform. */
                    downloadPath?: string | null;
                    filePassword?: string | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: null;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001 | 60004;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    getAllDownloadOrUploadFileProgress: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description `type` is 0 to 1 (0 upload, 1 download). */
                    type: number;
                    /** @description `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP). */
                    platform: number;
                    /** @description With `status`, only tasks in this status; `status` is -1 to 5. */
                    status?: number | null;
                    key: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: null;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    initStorage_IMDataFromSdk: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: null;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    deleteImBackups: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    unique: string;
                    isFolder: boolean;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    getImBackupsFileList: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    parent: string;
                    /** @description A folder's backup files, oldest first unless `order` says otherwise. */
                    order?: components["schemas"]["Order"] | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    page?: number | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    pageSize?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["BackupFile"][];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    getImBackupsFolderList: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Backup folders, oldest first unless `order` says otherwise: those in `parent`, or all if it is empty or absent. */
                    parent?: string | null;
                    /** @description `startTime` and `endTime` are inclusive, in seconds or, from 100000000000 on, in milliseconds. */
                    startTime?: number | null;
                    /** @description `startTime` and `endTime` are inclusive, in seconds or, from 100000000000 on, in milliseconds. */
                    endTime?: number | null;
                    /** @description Backup folders, oldest first unless `order` says otherwise: those in `parent`, or all if it is empty or absent. */
                    order?: components["schemas"]["Order"] | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    page?: number | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    pageSize?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["BackupFolder"][];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    searchImBackupsList: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    keyword?: string | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["BackupSearch"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    createImFavoriteFolder: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    name: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60002;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    deleteImFavoriteFolder: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    id: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000 | 60003;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    getImFavoriteFolders: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    order?: components["schemas"]["Order"] | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    page: number;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    pageSize: number;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["FavoriteFolder"][];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    getImFavoriteList: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    favId: string;
                    /** @description `keyword` matches file names, message texts and nicknames, ignoring case. */
                    keyword?: string | null;
                    /** @description `startTime` and `endTime` are inclusive, in seconds or, from 100000000000 on, in milliseconds. */
                    startTime?: number | null;
                    /** @description `startTime` and `endTime` are inclusive, in seconds or, from 100000000000 on, in milliseconds. */
                    endTime?: number | null;
                    /** @description `type` is 0 to 4 (0 all, 1 image or video, 2 file, 3 text, 4 voice). */
                    type: number;
                    /** @description A page of a folder's favourites, oldest first unless `order` says otherwise. */
                    order?: components["schemas"]["Order"] | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    page: number;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    pageSize: number;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["Favorite"][];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    renameImFavoriteFolder: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    id: string;
                    newName: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000 | 60002;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    getLocalTempFileList: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    unique: string;
                    /** @description `keyword` matches file names and message texts, ignoring case. */
                    keyword?: string | null;
                    /** @description `type` is 0 to 4 (0 all, 1 image or video, 2 file, 3 text, 4 voice). */
                    type: number;
                    /** @description A page of a conversation's temp files, newest first unless `order` says otherwise. */
                    order?: components["schemas"]["Order"] | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    page: number;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    pageSize: number;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["TempFile"][];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    getLocalTempFolderList: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description A page of the conversations with temp files, newest first unless `order` says otherwise. */
                    order?: components["schemas"]["Order"] | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    page: number;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    pageSize: number;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["TempFolder"][];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    localTempFileToFavorite: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    hashs: string[];
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    localTempFileToStorage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    hashs: string[];
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    searchLocalTempFile: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    keyword?: string | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["TempSearch"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_addImBackup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    parent: string;
                    /** @description The blob of `hash` must be in the space. */
                    hash: string;
                    /** @description Without `unique` the row gets a new UUID; with the `unique` of a known backup, that one is replaced. */
                    unique?: string | null;
                    nodeId?: string | null;
                    /** @description `type` is 1 single chat, 2 group chat. */
                    type?: number | null;
                    name?: string | null;
                    /** @description `time` is in seconds; absent: now. */
                    time?: number | null;
                    messageNum?: number | null;
                    nickname?: string | null;
                    domainName?: string | null;
                    /** @description `isCrypt` is 0 to 1, as in `addImFavorite`. */
                    isCrypt?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["BackupFile"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 700 | 60000 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_addImBackupFolder: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    name: string;
                    /** @description Adds a folder of backups, at the top or in `parent`, and returns its row. */
                    parent?: string | null;
                    /** @description Without `unique` the folder gets a new UUID; with the `unique` of a known folder, that one is replaced. */
                    unique?: string | null;
                    /** @description `time` is in seconds; absent: now. */
                    time?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["BackupFolder"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_addImFavorite: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    favId?: string | null;
                    /** @description Without `unique` the row gets a new UUID; with the `unique` of a known favourite, that one is replaced. */
                    unique?: string | null;
                    /** @description A text message needs no `hash`; without one it gets its `msgId`. */
                    msgId?: string | null;
                    msgContent?: string | null;
                    msgType?: number | null;
                    /** @description A text message needs no `hash`; without one it gets its `msgId`. */
                    hash?: string | null;
                    name?: string | null;
                    /** @description `time` is in seconds; absent: now. */
                    time?: number | null;
                    nodeAddress?: string | null;
                    originNickname?: string | null;
                    /** @description `isCrypt` is 0 to 1: 1 for a blob that a password opens. */
                    isCrypt?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["Favorite"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 700 | 60000 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_deleteImFavorites: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    uniques: string[];
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_moveImFavorites: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    uniques: string[];
                    favId: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_createStorageFolder: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    path?: string | null;
                    name: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["StorageEntry"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000 | 60002;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_deleteStorageFiles: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    uniques: string[];
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_getStorageFile: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    unique: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["StorageEntry"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_listStorageFiles: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    path?: string | null;
                    /** @description `keyword` matches names, ignoring case. */
                    keyword?: string | null;
                    /** @description `type` is 0 to 4 (0 all, 1 image or video, 2 file, 3 text, 4 voice); absent: all. */
                    type?: number | null;
                    /** @description A page of a folder: the folders in it, then the files, each oldest first unless `order` says otherwise. */
                    order?: components["schemas"]["Order"] | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    page: number;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    pageSize: number;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["StorageEntry"][];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_moveStorageFile: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    unique: string;
                    path?: string | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000 | 60001 | 60002;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_renameStorageFile: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    unique: string;
                    newName: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001 | 60002;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_cancelTask: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    taskId?: string | null;
                    taskIds?: string[] | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_getLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["Limits"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_listTasks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description `type` is 0 to 1 (0 upload, 1 download). */
                    type?: number | null;
                    /** @description `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP). */
                    platform?: number | null;
                    /** @description `status` is -1 to 5. */
                    status?: number | null;
                    /** @description A page of the tasks, newest first unless `order` says otherwise: of a direction, a platform and a status, or all. */
                    order?: components["schemas"]["Order"] | null;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    page: number;
                    /** @description `page` is 1 to 4294967295; `pageSize` is 1 to 1000. */
                    pageSize: number;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["TaskRow"][];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_markTaskViewed: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    taskId?: string | null;
                    taskIds?: string[] | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_pauseAll: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description `type` is 0 to 1 (0 upload, 1 download). */
                    type?: number | null;
                    /** @description `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP). */
                    platform?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: number;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_pauseTask: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    taskId?: string | null;
                    taskIds?: string[] | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_removeTask: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    taskId?: string | null;
                    taskIds?: string[] | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_resumeAll: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description `type` is 0 to 1 (0 upload, 1 download). */
                    type?: number | null;
                    /** @description `platform` is 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP). */
                    platform?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: number;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_resumeTask: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    taskId?: string | null;
                    taskIds?: string[] | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_retryTask: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    taskId?: string | null;
                    taskIds?: string[] | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_setLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    downloadBytesPerSecond?: number | null;
                    uploadBytesPerSecond?: number | null;
                    maxDownloads?: number | null;
                    maxUploads?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["Limits"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_setTaskLimit: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    taskId?: string | null;
                    taskIds?: string[] | null;
                    bytesPerSecond: number;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_setTaskPriority: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    taskId?: string | null;
                    taskIds?: string[] | null;
                    /** @description `priority` is 0 to 9. */
                    priority: number;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_addLocalTempFile: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    parent: string;
                    /** @description Without `unique` the row gets a new UUID; with the `unique` of a known file, that one is replaced. */
                    unique?: string | null;
                    /** @description A text message needs no `hash`. */
                    hash?: string | null;
                    msgId?: string | null;
                    msgContent?: string | null;
                    msgType?: number | null;
                    ext?: string | null;
                    name?: string | null;
                    /** @description `time` is in milliseconds; absent: now. */
                    time?: number | null;
                    /** @description The conversation is made if it does not exist, with `nodeAddress` and `type` (1 single chat, 2 group chat). */
                    nodeAddress?: string | null;
                    /** @description The conversation is made if it does not exist, with `nodeAddress` and `type` (1 single chat, 2 group chat). */
                    type?: number | null;
                    /** @description `isCrypt` is 0 to 1, as in `addImFavorite`. */
                    isCrypt?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["TempFile"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 700 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_deleteLocalTempFiles: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    uniques: string[];
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_deleteLocalTempFolder: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    unique: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_removeFilePassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    hash: string;
                    /** @description `platform` is 0 to 3 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage). */
                    platform: number;
                    password: string;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001 | 60004;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_setFilePassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    hash: string;
                    /** @description `platform` is 0 to 3 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage). */
                    platform: number;
                    /** @description If none protects it, `password` becomes its password. Else `password` is the present one and `newPassword` the next. */
                    password: string;
                    /** @description Else `password` is the present one and `newPassword` the next. */
                    newPassword?: string | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: boolean;
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60001 | 60004;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    transferApi_uploadFile: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description `path` is absolute, in a directory that the host may upload from. */
                    path: string;
                    /** @description `platform` is 0 to 3 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage). */
                    platform: number;
                    /** @description `name` is trimmed, at most 255 characters without control characters. */
                    name?: string | null;
                    /** @description With `filePassword` the bytes are encrypted before they leave this machine. */
                    filePassword?: string | null;
                    /** @description Without it the file keeps its name, without `unique` the row gets a new UUID, without `time` the time is now. */
                    unique?: string | null;
                    /** @description | 0 | `parent` (a backup folder, required), unique, node-id, type, message-num, nickname, domain-name, time (seconds) | | 1 | `parent` (the conversation, required; made if it does not exist), unique, msg-id, msg-content, msg-type, node-address, type (of the conversation), time (milliseconds) | */
                    parent?: string | null;
                    /** @description | 2 | `favId` (a folder; absent: the default one), unique, msg-id, msg-content, msg-type, node-address, origin-nickname, time (seconds) | */
                    favId?: string | null;
                    /** @description | 3 | `storagePath` (folder identifiers; absent: the root), thumb, time (milliseconds) | */
                    storagePath?: string | null;
                    msgId?: string | null;
                    msgContent?: string | null;
                    msgType?: number | null;
                    nodeAddress?: string | null;
                    originNickname?: string | null;
                    nodeId?: string | null;
                    type?: number | null;
                    messageNum?: number | null;
                    nickname?: string | null;
                    domainName?: string | null;
                    thumb?: string | null;
                    /** @description Without it the file keeps its name, without `unique` the row gets a new UUID, without `time` the time is now. */
                    time?: number | null;
                };
            };
        };
        responses: {
            /** @description The answer: the data, or an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 200;
                        message: null;
                        data: components["schemas"]["Upload"];
                    } | {
                        /** @enum {integer} */
                        code: 500 | 600 | 60000 | 60001;
                        message: string;
                        data: null;
                    };
                };
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    putFile: {
        parameters: {
            query: {
                /** @description 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage. */
                platform: components["parameters"]["platform"];
                /** @description The name of the file. */
                name: components["parameters"]["fileName"];
                /** @description The other fields of the row, each as a parameter of its own. */
                fields?: components["parameters"]["rowFields"];
            };
            header?: {
                /** @description The password of the file, as percent-encoded UTF-8. */
                "Stowage-File-Password"?: components["parameters"]["filePassword"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            200: components["responses"]["Received"];
            "4XX": components["responses"]["FileRefused"];
            "5XX": components["responses"]["FileRefused"];
        };
    };
    postFile: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    fields: components["schemas"]["FileFields"];
                    /** Format: binary */
                    file: string;
                };
            };
        };
        responses: {
            200: components["responses"]["Received"];
            "4XX": components["responses"]["FileRefused"];
            "5XX": components["responses"]["FileRefused"];
        };
    };
    getFile: {
        parameters: {
            query?: {
                /** @description Restricts the search to one platform: 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP. */
                platform?: components["parameters"]["onlyPlatform"];
            };
            header?: {
                /** @description The password of the file, as percent-encoded UTF-8. */
                "Stowage-File-Password"?: components["parameters"]["filePassword"];
                /** @description One part of the file: `bytes=0-99`. */
                Range?: components["parameters"]["range"];
                /** @description The entity tag of what the client has. */
                "If-None-Match"?: components["parameters"]["ifNoneMatch"];
            };
            path: {
                /** @description Base58 of the SHA-256 of the stored bytes. */
                hash: components["parameters"]["hash"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file. Its content type follows from its name, if no browser executes it. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    "Content-Disposition": components["headers"]["Content-Disposition"];
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    "*/*": string;
                };
            };
            /** @description A part of the file. */
            206: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    "Content-Range": components["headers"]["Content-Range"];
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    "*/*": string;
                };
            };
            /** @description The client has these bytes already. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["FileRefused"];
            "5XX": components["responses"]["FileRefused"];
        };
    };
    headFile: {
        parameters: {
            query?: {
                /** @description Restricts the search to one platform: 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP. */
                platform?: components["parameters"]["onlyPlatform"];
            };
            header?: {
                /** @description The password of the file, as percent-encoded UTF-8. */
                "Stowage-File-Password"?: components["parameters"]["filePassword"];
            };
            path: {
                /** @description Base58 of the SHA-256 of the stored bytes. */
                hash: components["parameters"]["hash"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file is there. `Content-Length` is its size. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    "Content-Disposition": components["headers"]["Content-Disposition"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The client has these bytes already. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["RefusedWithoutBody"];
            "5XX": components["responses"]["RefusedWithoutBody"];
        };
    };
    createUpload: {
        parameters: {
            query?: never;
            header: {
                /** @description The version of tus. */
                "Tus-Resumable": components["parameters"]["tusResumable"];
                /** @description The bytes of the whole file. */
                "Upload-Length"?: components["parameters"]["uploadLength"];
                /** @description The length comes later. */
                "Upload-Defer-Length"?: components["parameters"]["uploadDeferLength"];
                /** @description `name` (or `filename`), `platform` and the fields of the row: keys, each followed by its value in base64, with commas between them. */
                "Upload-Metadata"?: components["parameters"]["uploadMetadata"];
                /** @description The password of the file, as percent-encoded UTF-8. */
                "Stowage-File-Password"?: components["parameters"]["filePassword"];
            };
            path?: never;
            cookie?: never;
        };
        /** @description The first bytes of the file, if the client sends some at once. */
        requestBody?: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description The upload is at `Location`. */
            201: {
                headers: {
                    Location: components["headers"]["Location"];
                    "Upload-Offset": components["headers"]["Upload-Offset"];
                    "Upload-Expires": components["headers"]["Upload-Expires"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["FileRefused"];
            "5XX": components["responses"]["FileRefused"];
        };
    };
    deleteUpload: {
        parameters: {
            query?: never;
            header: {
                /** @description The version of tus. */
                "Tus-Resumable": components["parameters"]["tusResumable"];
            };
            path: {
                /** @description The upload, as `Location` gave it. */
                id: components["parameters"]["uploadId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The upload and its bytes are gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["FileRefused"];
            "5XX": components["responses"]["FileRefused"];
        };
    };
    headUpload: {
        parameters: {
            query?: never;
            header: {
                /** @description The version of tus. */
                "Tus-Resumable": components["parameters"]["tusResumable"];
            };
            path: {
                /** @description The upload, as `Location` gave it. */
                id: components["parameters"]["uploadId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The offset is the only truth. */
            200: {
                headers: {
                    "Upload-Offset": components["headers"]["Upload-Offset"];
                    "Upload-Expires": components["headers"]["Upload-Expires"];
                    "Stowage-Hash": components["headers"]["Stowage-Hash"];
                    "Stowage-Task-Id": components["headers"]["Stowage-Task-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["RefusedWithoutBody"];
            "5XX": components["responses"]["RefusedWithoutBody"];
        };
    };
    appendToUpload: {
        parameters: {
            query?: never;
            header: {
                /** @description The version of tus. */
                "Tus-Resumable": components["parameters"]["tusResumable"];
                /** @description Where the bytes belong. */
                "Upload-Offset": components["parameters"]["uploadOffset"];
                /** @description The bytes of the whole file. */
                "Upload-Length"?: components["parameters"]["uploadLength"];
                /** @description `sha1` or `sha256`, and the checksum of the body in base64. */
                "Upload-Checksum"?: components["parameters"]["uploadChecksum"];
                /** @description The password of the file, as percent-encoded UTF-8. */
                "Stowage-File-Password"?: components["parameters"]["filePassword"];
            };
            path: {
                /** @description The upload, as `Location` gave it. */
                id: components["parameters"]["uploadId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description The bytes are durable. `Stowage-Hash` and `Stowage-Task-Id` come with the last ones. */
            204: {
                headers: {
                    "Upload-Offset": components["headers"]["Upload-Offset"];
                    "Upload-Expires": components["headers"]["Upload-Expires"];
                    "Stowage-Hash": components["headers"]["Stowage-Hash"];
                    "Stowage-Task-Id": components["headers"]["Stowage-Task-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["FileRefused"];
            "5XX": components["responses"]["FileRefused"];
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: {
                /** @description The entity tag of what the client has. */
                "If-None-Match"?: components["parameters"]["ifNoneMatch"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Description"];
            /** @description The client has this description already. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    headOpenApi: {
        parameters: {
            query?: never;
            header?: {
                /** @description The entity tag of what the client has. */
                "If-None-Match"?: components["parameters"]["ifNoneMatch"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["DescriptionHead"];
            /** @description The client has this description already. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["RefusedWithoutBody"];
        };
    };
    getAsyncApi: {
        parameters: {
            query?: never;
            header?: {
                /** @description The entity tag of what the client has. */
                "If-None-Match"?: components["parameters"]["ifNoneMatch"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Description"];
            /** @description The client has this description already. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["Refused"];
        };
    };
    headAsyncApi: {
        parameters: {
            query?: never;
            header?: {
                /** @description The entity tag of what the client has. */
                "If-None-Match"?: components["parameters"]["ifNoneMatch"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["DescriptionHead"];
            /** @description The client has this description already. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            "4XX": components["responses"]["RefusedWithoutBody"];
        };
    };
}
