//! How messages become bytes on a gRPC stream. tonic's own codec makes room for 8 KiB per message and direction;
//! most of etcd's messages are far smaller. What it will never know: what they mean.

use std::marker::PhantomData;

use tonic::codec::{BufferSettings, DecodeBuf};
use tonic::{Code, Status};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use crate::errors::TOO_DEEP;

/// Room for a usual message; a larger one makes its own.
const ROOM: usize = 1 << 10;

/// How much of a stream is gathered before it is sent.
const GATHERED: usize = 32 << 10;

/// Messages of type `T` out, `U` in.
pub(crate) struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Codec<T, U> {
        Codec(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: prost::Message + Send + 'static,
    U: prost::Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Decoder<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(ROOM, GATHERED))
    }

    fn decoder(&mut self) -> Decoder<U> {
        Decoder(ProstCodec::<T, U>::raw_decoder(BufferSettings::new(ROOM, GATHERED)))
    }
}

/// Messages of type `U` in.
pub(crate) struct Decoder<U>(ProstDecoder<U>);

impl<U: prost::Message + Default> tonic::codec::Decoder for Decoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        self.0.decode(bytes).map_err(in_short)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// prost names every field on the way to what it cannot read: in a message that is nested too deep, kilobytes of them.
fn in_short(status: Status) -> Status {
    match status.code() {
        Code::Internal if status.message().ends_with("recursion limit reached") => {
            Status::invalid_argument(TOO_DEEP)
        }
        _ => status,
    }
}
