//! A bare hyper server that returns the body it gets: the upper bound of this stack.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

pub async fn serve() -> anyhow::Result<()> {
    serve_with(|body| async { body }).await
}

/// Serves POST bodies with `answer`. Sockets and hyper are set up as in Stowage's server.
pub async fn serve_with<F, A>(answer: F) -> anyhow::Result<()>
where
    F: Fn(Bytes) -> A + Clone + Send + 'static,
    A: Future<Output = Bytes> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer.clone();
            async move {
                let body = match request.into_body().collect().await {
                    Ok(body) => body.to_bytes(),
                    Err(_) => Bytes::new(),
                };
                let mut response = Response::new(Full::new(answer(body).await));
                response
                    .headers_mut()
                    .insert("content-type", http::HeaderValue::from_static("application/json"));
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(async move {
            // The load closes its connections while they are kept alive.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
