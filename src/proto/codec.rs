//! The protobuf codec, which refuses what is not protobuf with a typed reason.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::convert::status;
use crate::domain::refusal::{Reason, Refusal};

/// Bytes a call's buffers begin with, each way. They grow with the messages; of thousands of collectors most have nothing to say most of
/// the time.
const BUFFER_BYTES: usize = 1024;
/// Bytes encoded before they are handed to the connection, tonic's own default.
const YIELD_BYTES: usize = 32 * 1024;

fn buffers() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
}

/// Encodes into a buffer that has room for the whole message; a message that cannot be decoded is MALFORMED_REQUEST, not an internal error.
#[derive(Debug)]
pub struct TypedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for TypedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for TypedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = TypedEncoder<T>;
    type Decoder = TypedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        TypedEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        TypedDecoder(PhantomData)
    }
}

/// See [`TypedCodec`].
#[derive(Debug)]
pub struct TypedEncoder<T>(PhantomData<T>);

impl<T: Message> Encoder for TypedEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        // A buffer that grows while it is written to is copied at each doubling.
        buf.reserve(item.encoded_len());
        item.encode_raw(buf);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        buffers()
    }
}

/// See [`TypedCodec`].
#[derive(Debug)]
pub struct TypedDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for TypedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // In one piece, which is quicker to go through; nothing is copied.
        U::decode(buf.copy_to_bytes(buf.remaining())).map(Some).map_err(|why| {
            let refusal =
                Refusal::new(Reason::MalformedRequest, format!("the message cannot be decoded: {why}"))
                    .hint("send a protobuf message of the type the call takes in proto/truc/v1");
            status(&refusal)
        })
    }

    fn buffer_settings(&self) -> BufferSettings {
        buffers()
    }
}
