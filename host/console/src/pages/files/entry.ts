/** A row of any of the lists: a folder or a file. */
import type { components } from "stowage-client";
import { type Kind, kindOfName } from "./kind";
import { type Message, readMessage } from "./message";

type Schemas = components["schemas"];

export const platforms = { backups: 0, temp: 1, favorites: 2, storage: 3 } as const;

export interface Entry {
  /** Its identity in its section. */
  key: string;
  folder: boolean;
  /** The name of the file or folder, or the text of a message. */
  name: string;
  kind: Kind;
  /** Empty for a folder. A text message has one without bytes. */
  hash: string;
  /** In milliseconds since 1970. */
  time: number;
  /** As the API writes it, or empty if it does not tell. */
  size: string;
  platform: number;
  /** The folder that it is in. For the cloud storage its path. */
  parent: string;
  /** From whom it is, or empty. */
  sender: string;
  /** How many files or messages are in it. */
  amount?: number;
  /** Whether a password is known to protect it. The bytes tell in the other cases. */
  locked: boolean;
  /** The message that it came with. */
  message: Message;
  /** 1 single chat, 2 group chat: of a conversation or of a backup. */
  chat?: number;
}

const none: Message = { source: "" };

/** Whether the entry has bytes to show or download. */
export function hasBytes(entry: Entry): boolean {
  return !entry.folder && entry.hash !== "" && entry.kind !== "text";
}

export function favoriteFolder(row: Schemas["FavoriteFolder"]): Entry {
  return folder(row.id, row.name, row.time, platforms.favorites);
}

export function favorite(row: Schemas["Favorite"], parent: string): Entry {
  const message = readMessage(row.msgContent);
  return {
    ...file(row.unique, row.hash, row.name, message, row.time * 1000, platforms.favorites),
    parent,
    sender: row.originNickname || row.nodeAddress,
  };
}

export function conversation(row: Schemas["TempFolder"]): Entry {
  return {
    ...folder(row.unique, row.nodeAddress || row.unique, row.time, platforms.temp),
    size: row.size,
    amount: row.fileNum,
    chat: row.type,
  };
}

export function tempFile(row: Schemas["TempFile"]): Entry {
  const message = readMessage(row.msgContent);
  const name = row.name || (message.kind === "text" ? "" : `${row.unique}${row.ext}`);
  return {
    ...file(row.unique, row.hash, name, message, row.time, platforms.temp),
    parent: row.parent,
    size: row.size,
  };
}

export function backupFolder(row: Schemas["BackupFolder"]): Entry {
  return {
    ...folder(row.unique, row.name, row.time * 1000, platforms.backups),
    parent: row.parent,
    size: row.size,
    amount: row.singleChatNum + row.groupChatNum,
  };
}

export function backupFile(row: Schemas["BackupFile"]): Entry {
  return {
    ...file(row.unique, row.hash, row.name, none, row.time * 1000, platforms.backups),
    parent: row.parent,
    size: row.size,
    sender: row.nickname || row.nodeId,
    amount: row.messageNum,
    chat: row.type,
  };
}

export function storageEntry(row: Schemas["StorageEntry"]): Entry {
  const made = row.isFolder
    ? folder(row.unique, row.name, row.time, platforms.storage)
    : file(row.unique, row.hash, row.name, none, row.time, platforms.storage);
  return { ...made, parent: row.path, size: row.size, locked: row.isCrypt === 1 };
}

function folder(key: string, name: string, time: number, platform: number): Entry {
  return {
    key,
    folder: true,
    name,
    kind: "folder",
    hash: "",
    time,
    size: "",
    platform,
    parent: "",
    sender: "",
    locked: false,
    message: none,
  };
}

function file(key: string, hash: string, name: string, message: Message, time: number, platform: number): Entry {
  const shown = name || message.text?.trim() || message.fileName || key;
  return {
    key,
    folder: false,
    name: shown,
    kind: message.kind ?? kindOfName(shown),
    hash,
    time,
    size: "",
    platform,
    parent: "",
    sender: "",
    locked: false,
    message,
  };
}
