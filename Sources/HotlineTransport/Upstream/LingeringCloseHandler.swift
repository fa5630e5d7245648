import NIOCore

/// Takes in what a server still sends after the last word was said to it, and drops it.
///
/// A socket that is closed with input unread is reset (RFC 2525, 2.17), and the reset may cost the
/// server what it has not read yet: the close frame. First in the pipeline; daemon loop.
final class LingeringCloseHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private var bytesLeft: Int

  /// - Parameter bytesMax: with one more the channel is closed all the same.
  init(bytesMax: Int) {
    bytesLeft = bytesMax
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    bytesLeft -= unwrapInboundIn(data).readableBytes
    if bytesLeft < 0 { context.close(promise: nil) }
  }

  /// The connection is over; how it ends is of no interest any more.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
