//! A space whose faults are at the test's command, and transfers on it that can be stopped and
//! killed.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::fmt;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use stowage_cloud::{Cloud, Hash, OpenOptions, Space};
use stowage_storage::{KeyRange, ScanOptions, Store};
use stowage_transfer::{
    Config, Direction, DownloadRefusal, DownloadRequest, Feed, File, FileUpload, FileUploadRefusal, Filter, HookError,
    Limits, Prepared, Refusal, Retry, Row, Staged, TaskChange, TaskFilter, Transfers, UploadHook, UploadRequest,
};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The bytes the faulty store gives at a time.
pub const PIECE: usize = 64 << 10;

/// What goes wrong when a blob is read. Offsets are from the blob's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// No request is answered.
    Unreachable,
    /// The store refuses every request.
    Refused,
    /// The connection breaks before this byte.
    BreakAt(u64),
    /// The connection breaks after so many bytes of each answer, or shortly before.
    BreakAfter(u64),
    /// Nothing more comes from this byte on.
    StallAt(u64),
    /// The byte is another one.
    FlipAt(u64),
    /// The body ends before this byte as if it were whole.
    ShortAt(u64),
    /// No answer gives this byte: each one that has it stalls there.
    HoleAt(u64),
    /// The byte is another one, but only in answers for a range.
    FlipInRangeAt(u64),
    /// A request for a range gets the whole.
    NoRanges,
    /// A request for a range gets another range, as its answer says.
    OtherRange,
}

#[derive(Debug)]
pub struct Faulty {
    pub inner: InMemory,
    fault: Mutex<(Fault, u32)>,
    served: AtomicU64,
    asked: Mutex<Vec<Option<Range<u64>>>>,
    /// Parts of uploads that were put, in order.
    pub parts: Mutex<Vec<usize>>,
    /// Of an upload, only the first part comes to its end.
    pub only_first_part: AtomicBool,
}

impl Faulty {
    fn new() -> Faulty {
        Faulty {
            inner: InMemory::new(),
            fault: Mutex::new((Fault::None, 0)),
            served: AtomicU64::new(0),
            asked: Mutex::default(),
            parts: Mutex::default(),
            only_first_part: AtomicBool::new(false),
        }
    }

    /// The requests for bytes of blobs since the last call. `None` is a whole blob.
    pub fn take_asked(&self) -> Vec<Option<Range<u64>>> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// From now on this fault happens.
    pub fn set(&self, fault: Fault) {
        self.set_times(fault, u32::MAX);
    }

    /// The next reads of a blob have this fault.
    pub fn set_times(&self, fault: Fault, times: u32) {
        *self.fault.lock().unwrap() = (fault, times);
    }

    /// Bytes of blobs given since the last call.
    pub fn take_served(&self) -> u64 {
        self.served.swap(0, Ordering::SeqCst)
    }

    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }

    fn next_fault(&self) -> Fault {
        let mut fault = self.fault.lock().unwrap();
        if fault.1 == 0 {
            return Fault::None;
        }
        fault.1 = fault.1.saturating_sub(1);
        fault.0
    }

    fn refuse_if_unreachable(&self) -> Result<()> {
        match self.fault.lock().unwrap().0 {
            Fault::Unreachable => Err(broken("unreachable")),
            Fault::Refused => Err(object_store::Error::PermissionDenied {
                path: "blobs".to_owned(),
                source: "the key is not valid".into(),
            }),
            _ => Ok(()),
        }
    }
}

fn broken(why: &'static str) -> object_store::Error {
    object_store::Error::Generic {
        store: "faulty",
        source: why.into(),
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Handle {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.0.refuse_if_unreachable()?;
        self.0.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.0.refuse_if_unreachable()?;
        self.0.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        self.0.refuse_if_unreachable()?;
        if options.head || !location.as_ref().starts_with("blobs/") {
            return self.0.inner.get_opts(location, options).await;
        }
        let range = match &options.range {
            Some(GetRange::Bounded(range)) => Some(range.clone()),
            _ => None,
        };
        self.0.asked.lock().unwrap().push(range.clone());
        let fault = match (self.0.next_fault(), range) {
            (Fault::NoRanges, Some(_)) => {
                options.range = None;
                Fault::None
            }
            (Fault::OtherRange, Some(range)) => {
                options.range = Some(GetRange::Bounded(range.start + 1..range.end + 1));
                Fault::None
            }
            (Fault::FlipInRangeAt(offset), Some(_)) => Fault::FlipAt(offset),
            (fault, _) => fault,
        };
        let mut got = self.0.inner.get_opts(location, options).await?;
        let start = got.range.start;
        let bytes = match got.payload {
            GetResultPayload::Stream(stream) => {
                let pieces: Vec<Bytes> = stream.map(|piece| piece.unwrap()).collect().await;
                pieces.concat()
            }
            GetResultPayload::File(..) => unreachable!("memory has no files"),
        };
        got.payload = GetResultPayload::Stream(faulty(self.0.clone(), bytes, start, fault));
        Ok(got)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.inner.copy_opts(from, to, options).await
    }
}

fn faulty(store: Arc<Faulty>, bytes: Vec<u8>, start: u64, fault: Fault) -> BoxStream<'static, Result<Bytes>> {
    let bytes = Bytes::from(bytes);
    stream::unfold(0usize, move |at| {
        let (store, bytes) = (store.clone(), bytes.clone());
        async move {
            if at >= bytes.len() {
                return None;
            }
            let end = bytes.len().min(at + PIECE);
            let from = start + at as u64;
            let to = start + end as u64;
            let hit = |offset: u64| offset < to;
            match fault {
                Fault::BreakAt(offset) if hit(offset) => {
                    return Some((Err(broken("connection reset")), bytes.len()));
                }
                Fault::BreakAfter(most) if end as u64 > most => {
                    return Some((Err(broken("connection reset")), bytes.len()));
                }
                Fault::StallAt(offset) if hit(offset) => std::future::pending::<()>().await,
                Fault::HoleAt(offset) if (from..to).contains(&offset) => std::future::pending::<()>().await,
                Fault::ShortAt(offset) if hit(offset) => return None,
                _ => {}
            }
            let mut piece = bytes[at..end].to_vec();
            if let Fault::FlipAt(offset) = fault
                && (from..to).contains(&offset)
            {
                piece[usize::try_from(offset - from).unwrap()] ^= 1;
            }
            store.served.fetch_add(piece.len() as u64, Ordering::SeqCst);
            Some((Ok(Bytes::from(piece)), end))
        }
    })
    .boxed()
}

#[async_trait]
impl MultipartStore for Handle {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.0.refuse_if_unreachable()?;
        self.0.inner.create_multipart(path).await
    }

    async fn put_part(&self, path: &Path, id: &MultipartId, part: usize, data: PutPayload) -> Result<PartId> {
        self.0.refuse_if_unreachable()?;
        if self.0.only_first_part.load(Ordering::SeqCst) && part > 0 {
            std::future::pending::<()>().await;
        }
        self.0.parts.lock().unwrap().push(part);
        self.0.inner.put_part(path, id, part, data).await
    }

    async fn complete_multipart(&self, path: &Path, id: &MultipartId, parts: Vec<PartId>) -> Result<PutResult> {
        self.0.refuse_if_unreachable()?;
        self.0.inner.complete_multipart(path, id, parts).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.0.inner.abort_multipart(path, id).await
    }
}

/// The store as the space has it; the test keeps another handle.
#[derive(Clone, Debug)]
pub struct Handle(pub Arc<Faulty>);

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const CREATE: OpenOptions = OpenOptions {
    create: Some(1 << 30),
    unreachable_ok: false,
};

/// Everything that outlives a run of the transfers.
pub struct Rig {
    pub dir: TempDir,
    pub objects: Arc<Faulty>,
    pub store: Store,
    pub cloud: Cloud,
    pub config: Config,
    pub hook: Arc<Hook>,
}

/// One run of the transfers.
pub struct Running {
    pub transfers: Transfers,
    pub feed: Feed,
    store: Store,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Rig {
    pub async fn new() -> Rig {
        let objects = Arc::new(Faulty::new());
        let space = Space::open_store(Arc::new(Handle(objects.clone())), CREATE)
            .await
            .unwrap();
        Rig::on(space, objects, tempfile::tempdir().unwrap()).await
    }

    /// A rig on a space in which an upload in parts can be continued.
    pub async fn on_parts() -> Rig {
        let objects = Arc::new(Faulty::new());
        let space = Space::open_multipart_store(Arc::new(Handle(objects.clone())), CREATE)
            .await
            .unwrap();
        Rig::on(space, objects, tempfile::tempdir().unwrap()).await
    }

    /// A rig on a space in a directory, which has no faults.
    pub async fn on_directory() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("file://{}", dir.path().join("space").display());
        let space = Space::open(&url, CREATE).await.unwrap();
        Rig::on(space, Arc::new(Faulty::new()), dir).await
    }

    async fn on(space: Space, objects: Arc<Faulty>, dir: TempDir) -> Rig {
        let store = Store::in_memory(stowage_storage::Config::default());
        let cloud = Cloud::open(space, store.clone()).await.unwrap();
        let mut config = Config::new(dir.path().join("downloads"), dir.path().join("temp"));
        config.min_free_bytes = 0;
        config.retry = Retry {
            attempts: 4,
            first: Duration::from_millis(10),
            most: Duration::from_millis(50),
        };
        std::fs::create_dir(dir.path().join("temp")).unwrap();
        Rig {
            dir,
            objects,
            store,
            cloud,
            config,
            hook: Arc::new(Hook::default()),
        }
    }

    pub fn open(&self) -> (Transfers, Feed) {
        let feed = Feed::new();
        let transfers = Transfers::open(
            self.store.clone(),
            self.cloud.clone(),
            feed.clone(),
            self.config.clone(),
        )
        .unwrap();
        (transfers, feed)
    }

    pub fn start(&self) -> Running {
        let (transfers, feed) = self.open();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(transfers.clone().run(self.hook.clone(), async {
            let _ = stopped.await;
        }));
        Running {
            transfers,
            feed,
            store: self.store.clone(),
            stop: Some(stop),
            task,
        }
    }

    /// Puts a blob into the space and describes it.
    pub async fn blob(&self, name: &str, bytes: &[u8]) -> File {
        let hash = Hash::of(bytes);
        self.cloud
            .space()
            .put_blob(bytes, &hash, bytes.len() as u64)
            .await
            .unwrap();
        file(name, bytes)
    }

    /// Puts bytes among the temp files and describes them.
    pub fn temp(&self, name: &str, bytes: &[u8]) -> File {
        let hash = Hash::of(bytes);
        std::fs::write(self.dir.path().join("temp").join(hash.to_hex()), bytes).unwrap();
        file(name, bytes)
    }

    pub fn downloads(&self) -> PathBuf {
        self.dir.path().join("downloads/3")
    }

    /// Names in the downloads folder, hidden ones included, sorted.
    pub fn names(&self) -> Vec<String> {
        names(&self.downloads())
    }

    /// The tasks as they are in the database.
    pub fn stored(&self) -> Vec<serde_json::Value> {
        let mut tx = self.store.begin();
        let options = ScanOptions {
            limit: 10_000,
            ..ScanOptions::default()
        };
        let page = tx.scan("host.tasks", &KeyRange::all(), &options).unwrap();
        page.entries
            .iter()
            .map(|entry| rmp_serde::from_slice(&entry.value).unwrap())
            .collect()
    }

    /// The bytes that the only task's checkpoint covers.
    pub fn checkpoint(&self) -> u64 {
        let stored = self.stored();
        assert_eq!(stored.len(), 1);
        let checkpoint = &stored[0]["checkpoint"];
        let ranges = checkpoint["ranges"].as_array().into_iter().flatten();
        let more: u64 = ranges
            .map(|range| range[1].as_u64().unwrap() - range[0].as_u64().unwrap())
            .sum();
        checkpoint["offset"].as_u64().unwrap_or(0) + more
    }
}

pub fn names(dir: &FilePath) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

pub fn file(name: &str, bytes: &[u8]) -> File {
    File {
        hash: Hash::of(bytes).to_string(),
        name: name.to_owned(),
        ext: String::new(),
        thumb: String::new(),
        size: bytes.len() as u64,
        path: String::new(),
        protected: false,
    }
}

pub fn file_upload(task_id: &str, prepared: &Prepared) -> FileUpload {
    FileUpload {
        task_id: task_id.to_owned(),
        platform: 3,
        file: File {
            hash: prepared.hash.clone(),
            name: prepared.name.clone(),
            ext: String::new(),
            thumb: String::new(),
            size: prepared.size,
            path: String::new(),
            protected: prepared.protected,
        },
        prepared: prepared.id.clone(),
        subject: "subject".to_owned(),
    }
}

pub fn request(file: &File) -> DownloadRequest {
    DownloadRequest {
        task_id: None,
        platform: 3,
        file: file.clone(),
        directory: None,
        password: None,
    }
}

/// Bytes without a pattern that a piece size could hide in.
pub fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

impl Running {
    pub async fn stage(&self, request: &DownloadRequest) -> std::result::Result<Staged, DownloadRefusal> {
        self.store
            .update::<_, stowage_storage::Error>(|tx| self.transfers.stage_download(tx, request.clone(), 1000))
            .await
            .unwrap()
    }

    /// Stages and releases a download; answers its task's identifier.
    pub async fn download(&self, request: &DownloadRequest) -> String {
        let staged = self.stage(request).await.unwrap();
        let id = staged.task_id().to_owned();
        self.transfers.release(staged);
        id
    }

    pub async fn upload(&self, file: &File) -> String {
        let request = UploadRequest {
            platform: 3,
            file: file.clone(),
            subject: "subject".to_owned(),
        };
        let staged = self
            .store
            .update::<_, stowage_storage::Error>(|tx| self.transfers.stage_upload(tx, request.clone(), 1000))
            .await
            .unwrap();
        let id = staged.task_id().to_owned();
        self.transfers.release(staged);
        id
    }

    /// Writes a change of a task without putting it in force.
    pub async fn stage_change(&self, task_id: &str, change: TaskChange) -> Option<Staged> {
        self.store
            .update::<_, stowage_storage::Error>(|tx| self.transfers.stage_change(tx, task_id, change))
            .await
            .unwrap()
    }

    /// Changes a known task.
    pub async fn change(&self, task_id: &str, change: TaskChange) {
        let staged = self.stage_change(task_id, change).await.expect("the task is known");
        assert_eq!(staged.task_id(), task_id);
        self.transfers.release(staged);
    }

    /// Changes the tasks that match. Returns how many it concerned.
    pub async fn change_all(&self, filter: TaskFilter, change: TaskChange) -> usize {
        let staged = self
            .store
            .update::<_, stowage_storage::Error>(|tx| self.transfers.stage_change_all(tx, &filter, change))
            .await
            .unwrap();
        let concerned = staged.len();
        for staged in staged {
            self.transfers.release(staged);
        }
        concerned
    }

    pub fn limits(&self) -> Limits {
        self.transfers.limits(&mut self.store.begin()).unwrap()
    }

    pub async fn set_limits(&self, change: impl Fn(&mut Limits)) {
        let staged = self
            .store
            .update::<_, stowage_storage::Error>(|tx| {
                let mut limits = self.transfers.limits(tx)?;
                change(&mut limits);
                self.transfers.stage_limits(tx, limits)
            })
            .await
            .unwrap();
        self.transfers.release(staged);
    }

    pub async fn stage_file_upload(&self, upload: &FileUpload) -> std::result::Result<Staged, FileUploadRefusal> {
        self.store
            .update::<_, stowage_storage::Error>(|tx| self.transfers.stage_file_upload(tx, upload.clone(), 1000))
            .await
            .unwrap()
    }

    /// Uploads a prepared file as the task `task_id`.
    pub async fn upload_prepared(&self, task_id: &str, prepared: &Prepared) {
        let staged = self.stage_file_upload(&file_upload(task_id, prepared)).await.unwrap();
        self.transfers.release(staged);
    }

    /// The rows of a direction on platform 3.
    pub fn rows(&self, direction: Direction) -> Vec<Row> {
        self.feed.rows(&filter(direction))
    }

    pub fn row(&self, task_id: &str) -> Row {
        [Direction::Download, Direction::Upload]
            .into_iter()
            .flat_map(|direction| self.rows(direction))
            .find(|row| row.task_id == task_id)
            .expect("the task is in the feed")
    }

    /// Waits until a task's row is as wanted.
    pub async fn until(&self, task_id: &str, wanted: impl Fn(&Row) -> bool) -> Row {
        let wait = eventually(|| Some(self.row(task_id)).filter(&wanted));
        match tokio::time::timeout(Duration::from_secs(20), wait).await {
            Ok(row) => row,
            Err(_) => panic!("the task stays {:?}", self.row(task_id)),
        }
    }

    pub async fn status(&self, task_id: &str, status: i32) -> Row {
        self.until(task_id, |row| row.status == status).await
    }

    /// Shuts down in order.
    pub async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        tokio::time::timeout(Duration::from_secs(20), self.task)
            .await
            .expect("it stops")
            .unwrap();
    }

    /// Ends as a killed process does.
    pub async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

fn filter(direction: Direction) -> Filter {
    Filter {
        direction,
        platform: 3,
        status: None,
    }
}

/// Looks for a condition again whenever other tasks and threads had a turn.
pub async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let wait = async {
        let mut turns = tokio::time::interval(Duration::from_millis(2));
        loop {
            if let Some(found) = look() {
                return found;
            }
            turns.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("the condition comes true")
}

/// The module that keeps uploads.
#[derive(Default)]
pub struct Hook {
    /// What was asked, in order: `admit NAME`, `finished NAME`.
    pub calls: Mutex<Vec<String>>,
    /// How often `admit` fails to answer.
    pub failures: AtomicU64,
    pub admit: Mutex<Option<Refusal>>,
    pub finished: Mutex<Option<Refusal>>,
    /// While closed, `admit` does not answer.
    pub admit_gate: Gate,
    /// While closed, `finished` does not answer.
    pub finished_gate: Gate,
}

/// Something that can be held shut.
pub struct Gate(tokio::sync::watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Gate {
        Gate(tokio::sync::watch::Sender::new(true))
    }
}

impl Gate {
    pub fn set_open(&self, open: bool) {
        self.0.send_replace(open);
    }

    async fn pass(&self) {
        self.0.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

impl Hook {
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

fn answer(refusal: &Mutex<Option<Refusal>>) -> std::result::Result<(), Refusal> {
    refusal.lock().unwrap().map_or(Ok(()), Err)
}

impl UploadHook for Hook {
    fn admit<'a>(
        &'a self,
        request: &'a UploadRequest,
    ) -> BoxFuture<'a, std::result::Result<std::result::Result<(), Refusal>, HookError>> {
        Box::pin(async move {
            let call = format!("admit {}", request.file.name);
            self.calls.lock().unwrap().push(call);
            self.admit_gate.pass().await;
            let fails = self
                .failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            if fails.is_ok() {
                return Err(HookError("no instance".into()));
            }
            Ok(answer(&self.admit))
        })
    }

    fn finished<'a>(
        &'a self,
        request: &'a UploadRequest,
    ) -> BoxFuture<'a, std::result::Result<std::result::Result<(), Refusal>, HookError>> {
        Box::pin(async move {
            let call = format!("finished {} {}", request.file.name, request.subject);
            self.calls.lock().unwrap().push(call);
            self.finished_gate.pass().await;
            Ok(answer(&self.finished))
        })
    }

    fn admit_file<'a>(
        &'a self,
        upload: &'a FileUpload,
    ) -> BoxFuture<'a, std::result::Result<std::result::Result<(), Refusal>, HookError>> {
        Box::pin(async move {
            let call = format!("admit file {}", upload.file.name);
            self.calls.lock().unwrap().push(call);
            self.admit_gate.pass().await;
            Ok(answer(&self.admit))
        })
    }

    fn finished_file<'a>(
        &'a self,
        upload: &'a FileUpload,
    ) -> BoxFuture<'a, std::result::Result<std::result::Result<(), Refusal>, HookError>> {
        Box::pin(async move {
            let call = format!("finished file {} {}", upload.file.name, upload.subject);
            self.calls.lock().unwrap().push(call);
            self.finished_gate.pass().await;
            Ok(answer(&self.finished))
        })
    }
}
