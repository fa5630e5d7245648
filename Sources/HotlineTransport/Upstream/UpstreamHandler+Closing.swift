import Glibc
import HotlineCore
import HotlineTLS
import NIOCore

/// The ways a connection ends.
extension UpstreamHandler {
  /// Closes with a close frame and waits for the server's, ``Options/closeTimeout`` at most.
  ///
  /// Nothing is delivered any more; messages that have not been handed over are abandoned, one
  /// between two of its fragments too (RFC 6455, 5.4, allows control frames there). A connection
  /// that is not open yet is dropped. `code` must be one that may be sent; `reason` is cut to 123
  /// bytes.
  package func close(code: UInt16, reason: String) {
    switch phase {
    case .dialing, .securing, .upgrading, .refused: drop(reason)
    case .open:
      phase = .closing
      if !reason.isEmpty { localFailure.detail += ": \(reason)" }
      discardUnsent()
      arm(options.closeTimeout)
      writeClose(code: code, reason: reason)
      flush()
    case .closing, .closed: break
    }
  }

  /// Ends the connection or the dial at once; the delegate hears of it before this returns.
  package func drop(_ reason: String = "no longer needed") {
    finish(
      phase == .closing
        ? localFailure : ConnectionFailure(.local, "dropped by the daemon: \(reason)"))
    closeChannel()
  }

  /// The stream has ended, with or without an error.
  func streamEnded(_ error: (any Error)?) {
    let cause = error.map(describe)
    switch phase {
    case .dialing:
      finish(
        ConnectionFailure(
          .unreachable, "cannot connect to \(endpoint.address): \(cause ?? "closed")"))
    case .securing:
      let ended = "the connection ended in the TLS handshake"
      finish(ConnectionFailure(endpoint.tls == nil ? .lost : .tls, cause ?? ended))
    case .upgrading:
      let ended = "the connection ended before the upgrade was answered"
      finish(ConnectionFailure(.lost, cause.map { "\(ended): \($0)" } ?? ended))
    case .refused: refusalEnded()
    case .open:
      let ended = "the connection ended without a close frame"
      finish(ConnectionFailure(.lost, cause.map { "\(ended): \($0)" } ?? ended))
    case .closing: finish(localFailure)
    case .closed: break
    }
  }

  /// Answers with a close frame, tells the delegate why, and closes once the server has had the
  /// time to read it.
  func leave(code: UInt16, reason: String, _ failure: ConnectionFailure) {
    discardUnsent()
    let written = eventLoop.makePromise(of: Void.self)
    writeClose(code: code, reason: reason, promise: written)
    finish(failure)
    // A server that does not read must not keep the channel.
    arm(options.closeTimeout)
    written.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.linger() }
    flush()
  }

  /// Says that nothing follows, and waits for the server's end: ``Options/closeTimeout`` at most,
  /// from ``leave(code:reason:_:)`` on.
  private func linger() {
    guard let channel = context?.channel else { return }
    let lingering = LingeringCloseHandler(bytesMax: options.lingerBytesMax)
    try? channel.pipeline.syncOperations.addHandler(lingering, position: .first)
    resumeReading()
    channel.close(mode: .output).assumeIsolated().whenFailure { [weak self] _ in
      self?.closeChannel()
    }
  }

  /// Reports the end; the first call counts.
  func finish(_ failure: ConnectionFailure) {
    guard phase != .closed else { return }
    phase = .closed
    deadline?.cancel()
    deadline = nil
    exchange = nil
    dial?.cancel()
    dial = nil
    discardUnsent()
    reportReadCompleted()
    endCompression()
    let delegate = delegate
    self.delegate = nil
    delegate?.upstreamClosed(connection, failure)
  }

  /// Gives its memory back, which the handler may outlive.
  private func endCompression() {
    guard inflater != nil else { return }
    bytesSavedAtEnd = bytesSaved
    inflater = nil
    deflater = nil
    decoder = FrameDecoder(messageBytesMax: options.eventBytesMax)
  }

  func closeChannel() {
    deadline?.cancel()
    deadline = nil
    context?.channel.close(promise: nil)
  }

  private func discardUnsent() {
    queue.removeAll()
    pendingPong = nil
    pingsUnanswered = []
  }

  private func writeClose(code: UInt16, reason: String, promise: EventLoopPromise<Void>? = nil) {
    guard let context else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    var out = context.channel.allocator.buffer(capacity: 125 + FrameEncoder.headerBytesMax)
    encoder.appendClose(code: code, reason: reason, to: &out)
    unflushedBytes += out.readableBytes
    context.write(wrapOutboundOut(out), promise: promise)
  }
}

/// An error in its own words.
func describe(_ error: any Error) -> String {
  switch error {
  case let error as TLSError: error.description
  case let error as IOError: String(cString: strerror(error.errnoCode))
  case let error as SocketAddressError.UnknownHost: error.errorDescription
  default: String(describing: error)
  }
}
