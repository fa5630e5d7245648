import HotlineTLS
import NIOCore

/// Puts TLS between the socket and the handlers behind it.
///
/// One for each upstream channel; daemon loop. Tells the next handlers:
/// - ``TLSHandshakeCompleted`` as a user event when the stream opens, before any plaintext;
/// - all plaintext of one read of the socket in one `channelRead`, then `channelReadComplete`;
/// - a `TLSError` as `errorCaught`, once, before the channel is closed. A stream that ends without
///   one was ended by the server's close_notify, and is complete.
///
/// Closing the output alone ends TLS too: nothing that comes is handed on any more.
///
/// Writes wait for the handshake. After it they become ciphertext when they are flushed, or when
/// they have come to a chunk (128 KiB): what waits is in the channel's own outbound buffer, and the
/// channel's writability tells of it.
package final class TLSHandler: ChannelDuplexHandler {
  package typealias InboundIn = ByteBuffer
  package typealias InboundOut = ByteBuffer
  package typealias OutboundIn = ByteBuffer
  package typealias OutboundOut = ByteBuffer

  private let engine: TLSEngine
  private let pendingBytesMax: Int
  /// Plaintext not encrypted yet; before the handshake is done, marked as far as it was flushed.
  private var pending = MarkedCircularBuffer<(ByteBuffer, EventLoopPromise<Void>?)>(
    initialCapacity: 4)
  private var pendingBytes = 0
  /// Decrypted and not handed on yet. Its storage is used again once the next handler let go.
  private var plaintext = ByteBuffer()
  private var ciphertext = ByteBuffer()
  private var isReadWanted = false
  private var isAnnounced = false
  /// Set by the first of: failure, the server's end, `close()`, removal. Nothing passes after it.
  private var isFinished = false

  /// Ciphertext is handed to OpenSSL in pieces of this size: what it keeps of one is never given
  /// back while the connection lives.
  private static let pieceBytesMax = 16 << 10
  /// One write to the channel carries about this much of a long flush.
  private static let chunkBytesMax = 128 << 10
  /// Larger buffers are not kept between reads and flushes.
  private static let keptBytesMax = 64 << 10

  /// - Parameter pendingBytesMax: plaintext that may be written before the handshake is done; one
  ///   byte more fails the connection.
  package init(engine: TLSEngine, pendingBytesMax: Int = 1 << 20) {
    self.engine = engine
    self.pendingBytesMax = pendingBytesMax
  }

  // MARK: The channel's life

  package func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { start(context) }
  }

  package func channelActive(context: ChannelHandlerContext) {
    start(context)
    context.fireChannelActive()
  }

  package func handlerRemoved(context: ChannelHandlerContext) {
    isFinished = true
    failPending(ChannelError.ioOnClosedChannel)
  }

  package func channelInactive(context: ChannelHandlerContext) {
    transportEnded(context)
    context.fireChannelInactive()
  }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent {
      // TLS has no half-close that a WebSocket could use: this is the transport's end.
      transportEnded(context)
      context.close(mode: .all, promise: nil)
    }
    context.fireUserInboundEventTriggered(event)
  }

  private func start(_ context: ChannelHandlerContext) {
    guard !isFinished, engine.state == .idle else { return }
    engine.start()
    advance(context)
    // The handshake goes on even where the next handler does not want to read yet.
    if engine.state == .handshaking { context.read() }
  }

  private func transportEnded(_ context: ChannelHandlerContext) {
    guard !isFinished else { return }
    isFinished = true
    let error = engine.transportEnded()
    deliver(context)
    failPending(error ?? ChannelError.ioOnClosedChannel)
    if let error { context.fireErrorCaught(error) }
  }

  // MARK: Inbound

  package func read(context: ChannelHandlerContext) {
    isReadWanted = true
    context.read()
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isFinished else { return }
    let received = unwrapInboundIn(data)
    received.withUnsafeReadableBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = rest.prefix(Self.pieceBytesMax)
        rest = rest.dropFirst(piece.count)
        engine.receive(UnsafeRawBufferPointer(rebasing: piece))
        decrypt(expectedBytes: piece.count)
      }
    }
    advance(context)
  }

  package func channelReadComplete(context: ChannelHandlerContext) {
    let isDelivered = deliver(context)
    context.fireChannelReadComplete()
    guard !isFinished, !isDelivered else { return }
    // What came was of use to TLS alone, so whoever asked to read still waits.
    if isReadWanted || engine.state == .handshaking { context.read() }
  }

  private func decrypt(expectedBytes: Int) {
    guard engine.state == .open else { return }
    if plaintext.readableBytes == 0 { plaintext.clear() }
    var isShort = false
    while !isShort {
      plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: expectedBytes) { space in
        let count = engine.read(into: space)
        isShort = count < space.count
        return count
      }
    }
  }

  /// Hands on what was decrypted.
  ///
  /// - Returns: whether there was anything.
  @discardableResult
  private func deliver(_ context: ChannelHandlerContext) -> Bool {
    guard plaintext.readableBytes > 0 else { return false }
    isReadWanted = false
    context.fireChannelRead(wrapInboundOut(Self.handOn(&plaintext)))
    return true
  }

  /// Empties `buffer` and returns what was in it. The storage stays behind, and `clear()` takes it
  /// into use again if nobody holds it any more by then.
  private static func handOn(_ buffer: inout ByteBuffer) -> ByteBuffer {
    let full = buffer
    if buffer.storageCapacity > keptBytesMax {
      buffer = ByteBuffer()
    } else {
      buffer.moveReaderIndex(to: buffer.writerIndex)
    }
    return full
  }

  /// Acts on what the engine has become; its output goes first in every case.
  private func advance(_ context: ChannelHandlerContext) {
    switch engine.state {
    case .idle, .closed:
      return
    case .handshaking:
      if writeCiphertext(context) { context.flush() }
    case .open:
      open(context)
    case .ended:
      open(context)
      guard !isFinished else { return }
      deliver(context)
      context.fireChannelReadComplete()
      close(context: context, mode: .all, promise: nil)
    case .failed:
      open(context)
      if let error = engine.failure { fail(context, error) }
    }
  }

  /// Announces the handshake if that is news, and sends what OpenSSL wants sent: its last flight,
  /// and later answers to key updates. A first request goes out with the last flight.
  private func open(_ context: ChannelHandlerContext) {
    var isFlushNeeded = writeCiphertext(context)
    if !isAnnounced, let handshake = engine.handshake {
      isAnnounced = true
      if engine.state == .open, pending.hasMark {
        encryptPending(context, upToMark: true)
        isFlushNeeded = true
      }
      context.fireUserInboundEventTriggered(handshake)
    }
    if isFlushNeeded { context.flush() }
  }

  private func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
    guard !isFinished else { return }
    isFinished = true
    if deliver(context) { context.fireChannelReadComplete() }
    if writeCiphertext(context) { context.flush() }
    failPending(error)
    context.fireErrorCaught(error)
    context.close(mode: .all, promise: nil)
  }

  // MARK: Outbound

  package func write(
    context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
  ) {
    guard !isFinished else {
      promise?.fail(engine.failure ?? ChannelError.ioOnClosedChannel)
      return
    }
    let buffer = unwrapOutboundIn(data)
    pending.append((buffer, promise))
    pendingBytes += buffer.readableBytes
    if engine.state == .open {
      // Not flushed yet, but the channel must hear of it, or a writer that goes by the channel's
      // writability never stops.
      if pendingBytes >= Self.chunkBytesMax { encryptPending(context) }
    } else if pendingBytes > pendingBytesMax {
      let error = TLSError(
        .write,
        "\(pendingBytes) bytes wait for the TLS handshake, at most \(pendingBytesMax) may")
      fail(context, error)
    }
  }

  package func flush(context: ChannelHandlerContext) {
    if engine.state == .open { encryptPending(context) } else { pending.mark() }
    context.flush()
  }

  package func close(
    context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?
  ) {
    guard mode != .input else {
      promise?.fail(ChannelError.operationUnsupported)
      return
    }
    if !isFinished {
      isFinished = true
      failPending(ChannelError.ioOnClosedChannel)
      engine.close()
      // Not waited for: a peer that reads nothing must not hold up the close.
      if writeCiphertext(context) { context.flush() }
    }
    context.close(mode: mode, promise: promise)
  }

  /// Encrypts what waits into few large writes.
  ///
  /// - Parameter upToMark: only what was flushed before the handshake was done.
  private func encryptPending(_ context: ChannelHandlerContext, upToMark: Bool = false) {
    var done: EventLoopPromise<Void>?
    while !upToMark || pending.hasMark, let (buffer, promise) = pending.popFirst() {
      pendingBytes -= buffer.readableBytes
      guard encrypt(buffer, context, done: &done) else {
        done?.fail(engine.failure ?? ChannelError.ioOnClosedChannel)
        promise?.fail(engine.failure ?? ChannelError.ioOnClosedChannel)
        if let error = engine.failure { fail(context, error) }
        return
      }
      done.setOrCascade(to: promise)
    }
    send(context, promise: done)
  }

  /// Encrypts one write; longer ones than a chunk are passed on in between.
  ///
  /// - Parameter done: promises of the writes whose last byte is in the current chunk.
  /// - Returns: false where the engine takes nothing more.
  private func encrypt(
    _ buffer: ByteBuffer, _ context: ChannelHandlerContext, done: inout EventLoopPromise<Void>?
  ) -> Bool {
    buffer.withUnsafeReadableBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        // Never after the last record: its promise must go out with its bytes.
        if ciphertext.readableBytes >= Self.chunkBytesMax {
          send(context, promise: done)
          done = nil
        }
        let count = engine.write(UnsafeRawBufferPointer(rebasing: rest))
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
        collectCiphertext()
      }
      return true
    }
  }

  private func collectCiphertext() {
    let count = engine.pendingCiphertextBytes
    guard count > 0 else { return }
    if ciphertext.readableBytes == 0 { ciphertext.clear() }
    ciphertext.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
      engine.takeCiphertext(into: space)
    }
  }

  /// - Returns: whether anything was written, and so must be flushed.
  private func writeCiphertext(_ context: ChannelHandlerContext) -> Bool {
    collectCiphertext()
    guard ciphertext.readableBytes > 0 else { return false }
    send(context, promise: nil)
    return true
  }

  private func send(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    guard ciphertext.readableBytes > 0 || promise != nil else { return }
    context.write(wrapOutboundOut(Self.handOn(&ciphertext)), promise: promise)
  }

  private func failPending(_ error: any Error) {
    while let (buffer, promise) = pending.popFirst() {
      pendingBytes -= buffer.readableBytes
      promise?.fail(error)
    }
  }
}
