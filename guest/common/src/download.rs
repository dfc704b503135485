//! Downloads.

use stowage_sdk::bindings::cloud::CloudError;
use stowage_sdk::bindings::transfer::{DownloadRefusal, DownloadRequest};
use stowage_sdk::rows::BlobFile;
use stowage_sdk::{Context, Error};

/// What is to be downloaded; the parameters of `downloadStorageFileTask`. An empty optional text counts as absent.
#[derive(Debug, Clone, Default)]
pub struct Download {
    /// The file's hash.
    pub hash: String,
    /// Where it is looked up.
    pub platform: u32,
    /// The task to resume, or the new one's identifier.
    pub task_id: Option<String>,
    /// Where the file goes.
    pub download_path: Option<String>,
    /// Of a protected file.
    pub file_password: Option<String>,
}

/// Begins, resumes or restarts the download of a file.
///
/// # Errors
/// 600 a bad platform, directory or task, 60001 no such file, 60004 no or a wrong password of a protected file, 500 the cloud is
/// out of reach where the password is to be checked.
pub fn download(ctx: &dyn Context, download: Download) -> Result<(), Error> {
    let platform = crate::platform(download.platform)?;
    let file = BlobFile::find(ctx, download.platform, &download.hash).ok_or_else(|| Error::no_file(&download.hash))?;
    let password = present(download.file_password).filter(|_| file.protected);
    if file.protected {
        match ctx.check_password(&file.hash, password.as_deref()) {
            Ok(true) => {}
            Ok(false) => return Err(Error::wrong_password()),
            Err(CloudError::Missing(_)) => return Err(Error::no_file(&file.hash)),
            Err(error) => return Err(error.into()),
        }
    }
    let request = DownloadRequest {
        task_id: present(download.task_id),
        platform,
        file: file.into(),
        directory: present(download.download_path),
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

fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
