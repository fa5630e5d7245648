import COpenSSL
import NIOCore

/// The server's side of TLS between a socket and the handlers behind it, over two memory BIOs.
///
/// Plain bytes are gathered until a flush, so a batch of small writes shares records. Confined to
/// its channel's loop.
final class TLSServerHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Sent down the pipeline: the following close does not say `close_notify`, which is how a
  /// truncation looks to the peer.
  struct OmitCloseNotify: Sendable {}

  /// What became of the handshake, for the statistics.
  enum Handshake {
    case full
    case resumed
    case failed
  }

  private enum State {
    /// Bytes go to the handshake. Next: `.open` or `.closed`.
    case handshaking
    /// Data flows. Next: `.closed`, by either side's close or an error.
    case open
    /// No OpenSSL call may follow. Terminal.
    case closed
  }

  private let ssl: OpaquePointer
  private let reading: OpaquePointer
  private let writing: OpaquePointer
  private let handshakeEnded: (Handshake) -> Void
  private var state = State.handshaking
  private var omitsCloseNotify = false
  private var plaintext = ByteBuffer()
  private var plaintextPromise: EventLoopPromise<Void>?

  /// - Throws: `SimulatorError` when OpenSSL is out of memory.
  init(_ context: TLSServerContext, handshakeEnded: @escaping (Handshake) -> Void) throws {
    guard let reading = BIO_new(BIO_s_mem()), let writing = BIO_new(BIO_s_mem()),
      let ssl = context.makeServer(reading: reading, writing: writing)
    else { throw SimulatorError.openSSL("SSL_new") }
    self.ssl = ssl
    self.reading = reading
    self.writing = writing
    self.handshakeEnded = handshakeEnded
  }

  deinit { SSL_free(ssl) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard state != .closed else { return }
    let buffer = unwrapInboundIn(data)
    buffer.withUnsafeReadableBytes { bytes in
      // A memory BIO takes everything; one read of the socket is far below Int32.max.
      _ = BIO_write(reading, bytes.baseAddress, Int32(bytes.count))
    }
    if state == .handshaking { handshake(context) }
    if state == .open { readPlaintext(context) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if state == .handshaking { handshakeEnded(.failed) }
    state = .closed
    failWrites(ChannelError.ioOnClosedChannel)
    context.fireChannelInactive()
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard state != .closed else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    var buffer = unwrapOutboundIn(data)
    plaintext.writeBuffer(&buffer)
    if let promise {
      plaintextPromise?.futureResult.cascade(to: promise)
      plaintextPromise = plaintextPromise ?? promise
    }
  }

  func flush(context: ChannelHandlerContext) {
    guard state == .open else { return }
    encrypt()
    send(context)
  }

  func triggerUserOutboundEvent(
    context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
  ) {
    if event is OmitCloseNotify {
      omitsCloseNotify = true
      promise?.succeed()
    } else {
      context.triggerUserOutboundEvent(event, promise: promise)
    }
  }

  func close(
    context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?
  ) {
    if state == .open, mode != .input {
      encrypt()
      if !omitsCloseNotify {
        ERR_clear_error()
        SSL_shutdown(ssl)
      }
      send(context)
    }
    if mode == .all { state = .closed }
    failWrites(ChannelError.ioOnClosedChannel)
    context.close(mode: mode, promise: promise)
  }

  private func handshake(_ context: ChannelHandlerContext) {
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    if result == 1 {
      state = .open
      handshakeEnded(SSL_session_reused(ssl) == 1 ? .resumed : .full)
      encrypt()
      send(context)
    } else if SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ {
      send(context)
    } else {
      fail(context, "handshake")
    }
  }

  private func readPlaintext(_ context: ChannelHandlerContext) {
    var received = context.channel.allocator.buffer(capacity: BIO_ctrl_pending(reading))
    var end: Int32 = SSL_ERROR_NONE
    while end == SSL_ERROR_NONE {
      ERR_clear_error()
      let count = received.writeWithUnsafeMutableBytes(minimumWritableBytes: 16 << 10) { bytes in
        let count = SSL_read(ssl, bytes.baseAddress, Int32(min(bytes.count, 1 << 20)))
        if count <= 0 { end = SSL_get_error(ssl, count) }
        return max(0, Int(count))
      }
      if count == 0 { break }
    }
    // Reads may have produced alerts or key updates.
    send(context)
    if received.readableBytes > 0 {
      context.fireChannelRead(wrapInboundOut(received))
    }
    guard state == .open else { return }
    if end == SSL_ERROR_ZERO_RETURN {
      close(context: context, mode: .all, promise: nil)
    } else if end != SSL_ERROR_WANT_READ {
      fail(context, "reading")
    }
  }

  private func encrypt() {
    guard plaintext.readableBytes > 0 else { return }
    while plaintext.readableBytes > 0 {
      ERR_clear_error()
      let count = plaintext.withUnsafeReadableBytes { bytes in
        SSL_write(ssl, bytes.baseAddress, Int32(min(bytes.count, 1 << 20)))
      }
      guard count > 0 else { break }
      plaintext.moveReaderIndex(forwardBy: Int(count))
    }
    plaintext.clear()
  }

  /// Hands the socket what OpenSSL wants sent.
  private func send(_ context: ChannelHandlerContext) {
    let count = BIO_ctrl_pending(writing)
    guard count > 0 else { return }
    var records = context.channel.allocator.buffer(capacity: count)
    records.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
      max(0, Int(BIO_read(writing, bytes.baseAddress, Int32(clamping: bytes.count))))
    }
    let promise = plaintextPromise
    plaintextPromise = nil
    context.writeAndFlush(wrapOutboundOut(records), promise: promise)
  }

  private func fail(_ context: ChannelHandlerContext, _ step: String) {
    let error = SimulatorError.openSSL(step)
    send(context)
    if state == .handshaking { handshakeEnded(.failed) }
    state = .closed
    failWrites(error)
    context.fireErrorCaught(error)
    context.close(promise: nil)
  }

  private func failWrites(_ error: any Error) {
    let promise = plaintextPromise
    plaintextPromise = nil
    plaintext.clear()
    promise?.fail(error)
  }
}
