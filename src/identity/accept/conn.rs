//! A connection whose peer is known, and which can be cut from outside.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;

use crate::identity::live::Place;
use crate::identity::peer::Peer;

/// A connection after its handshake. Reading and writing fail with `ConnectionAborted` once its certificate is no
/// longer good. A request that arrived on it has the peer as `Arc<Peer>` among its extensions.
pub struct Conn {
    stream: TlsStream<TcpStream>,
    peer: Arc<Peer>,
    /// One for each direction: whoever waits in either is woken.
    cut_while_reading: Pin<Box<WaitForCancellationFutureOwned>>,
    cut_while_writing: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Place,
}

impl Conn {
    pub(super) fn new(stream: TlsStream<TcpStream>, peer: Arc<Peer>, place: Place) -> Self {
        Self {
            stream,
            peer,
            cut_while_reading: Box::pin(place.cut().clone().cancelled_owned()),
            cut_while_writing: Box::pin(place.cut().clone().cancelled_owned()),
            _place: place,
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Ready with an error once the connection is cut; otherwise `cx` is woken when it is.
    fn poll_uncut(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut TlsStream<TcpStream>>> {
        Poll::Ready(match self.cut_while_writing.as_mut().poll(cx) {
            Poll::Ready(()) => Err(cut()),
            Poll::Pending => Ok(&mut self.stream),
        })
    }
}

impl Connected for Conn {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Self::ConnectInfo {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.cut_while_reading.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(cut())),
            Poll::Pending => Pin::new(&mut self.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_uncut(cx))?;
        Pin::new(stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_uncut(cx))?;
        Pin::new(stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_uncut(cx))?;
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_uncut(cx))?;
        Pin::new(stream).poll_shutdown(cx)
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("peer", &self.peer).finish_non_exhaustive()
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the caller's certificate is no longer good")
}
