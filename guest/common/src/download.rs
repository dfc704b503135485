//! Downloads.

use stowage_sdk::bindings::cloud::CloudError;
use stowage_sdk::bindings::transfer::{DownloadRefusal, DownloadRequest};
use stowage_sdk::rows::BlobFile;
use stowage_sdk::{Context, Error};

/// The parameters of `downloadStorageFileTask`. An empty optional text counts as absent.
#[derive(Debug, Clone, Default)]
pub struct Download {
    /// The file's hash.
    pub hash: String,
    /// The platform whose files are searched.
    pub platform: u32,
    /// The task to resume, or the identifier of a new task.
    pub task_id: Option<String>,
    /// The target directory.
    pub download_path: Option<String>,
    /// The password of a protected file.
    pub file_password: Option<String>,
}

/// Begins, resumes or restarts the download of a file.
///
/// # Errors
/// 600 a bad platform, directory or task, or a file whose password cannot be checked: the message
/// says why; 60001 no such file; 60004 a protected file with a missing or wrong password; 500 the
/// cloud cannot be reached to check the password.
pub fn download(ctx: &dyn Context, download: Download) -> Result<(), Error> {
    let platform = crate::platform(download.platform)?;
    let file = BlobFile::find(ctx, download.platform, &download.hash).ok_or_else(|| Error::no_file(&download.hash))?;
    let password = non_empty(download.file_password).filter(|_| file.protected);
    if file.protected {
        match ctx.check_password(&file.hash, password.as_deref()) {
            Ok(true) => {}
            Ok(false) => return Err(Error::wrong_password()),
            Err(CloudError::Missing(_)) => return Err(Error::no_file(&file.hash)),
            Err(CloudError::Malformed(why)) => {
                let expected = format!("a file that a password can open now; {why}");
                return Err(Error::parameter("filePassword", &expected));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let request = DownloadRequest {
        task_id: non_empty(download.task_id),
        platform,
        file: file.into(),
        directory: non_empty(download.download_path),
        password,
    };
    ctx.download(&request).map_err(|refusal| match refusal {
        DownloadRefusal::Directory(why) => {
            Error::parameter("downloadPath", &format!("a directory that downloads may go to; {why}"))
        }
        DownloadRefusal::TaskId(why) => {
            Error::parameter("taskId", &format!("a new identifier or that of this download; {why}"))
        }
    })
}

fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
