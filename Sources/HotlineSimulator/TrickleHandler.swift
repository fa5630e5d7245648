import NIOCore

/// Lets bytes out to the socket a few at a time, so that the peer sees records and frames in
/// pieces.
///
/// Stands next to the socket, below TLS. A close waits until everything is out.
final class TrickleHandler: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let pieceBytes: Int
  private let interval: TimeAmount
  private var waiting = ByteBuffer()
  private var close: (mode: CloseMode, promise: EventLoopPromise<Void>?)?
  private var isTimerArmed = false

  init(pieceBytes: Int, interval: TimeAmount = .milliseconds(1)) {
    self.pieceBytes = max(1, pieceBytes)
    self.interval = interval
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    var buffer = unwrapOutboundIn(data)
    waiting.writeBuffer(&buffer)
    promise?.succeed()
  }

  func flush(context: ChannelHandlerContext) {
    if !isTimerArmed { sendPiece(context) }
  }

  func close(
    context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?
  ) {
    guard waiting.readableBytes > 0 else {
      context.close(mode: mode, promise: promise)
      return
    }
    close = (mode, promise)
    flush(context: context)
  }

  private func sendPiece(_ context: ChannelHandlerContext) {
    let count = min(pieceBytes, waiting.readableBytes)
    if let piece = waiting.readSlice(length: count), count > 0 {
      context.writeAndFlush(wrapOutboundOut(piece), promise: nil)
    }
    if waiting.readableBytes == 0 {
      waiting.clear()
      if let close { context.close(mode: close.mode, promise: close.promise) }
      return
    }
    isTimerArmed = true
    context.eventLoop.assumeIsolated().scheduleTask(in: interval) { [weak self] in
      guard let self else { return }
      self.isTimerArmed = false
      guard context.channel.isActive else { return }
      self.sendPiece(context)
    }
  }
}
