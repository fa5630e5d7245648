import COpenSSL

/// The client's side of one TLS connection: bytes in, bytes out, no socket.
///
/// Confined to the daemon loop. No call blocks, throws or calls back. After each one look at
/// ``state``, and send on what ``takeCiphertext(into:)`` has: also after a failure, when that is
/// the alert which tells the server why.
package final class TLSEngine {
  package enum State: Hashable, Sendable {
    /// Nothing was sent. Next: `.handshaking` at `start()`, or `.closed`.
    case idle
    /// ClientHello is out. Next: `.open`, `.closed` or `.failed`.
    case handshaking
    /// Plaintext flows both ways. Next: `.ended`, `.closed` or `.failed`.
    case open
    /// The server's close_notify came, the stream is complete. Next: `.closed` at `close()`.
    case ended
    /// Terminal: `close()` was called, or the transport ended before anything began.
    case closed
    /// Terminal: ``failure`` says why.
    case failed
  }

  package private(set) var state = State.idle
  /// The first cause, once `state` is `.failed`.
  package private(set) var failure: TLSError?
  /// Set once and kept, from `.open` on.
  package private(set) var handshake: TLSHandshakeCompleted?

  let ssl: OpaquePointer
  /// Ciphertext from the server; owned by `ssl`.
  private let input: OpaquePointer
  /// Ciphertext for the server; owned by `ssl`.
  private let output: OpaquePointer
  private let context: TLSContext
  let peer: TLSPeer
  private var offered: TLSSession?
  /// The server's first bytes, until they have shown whether it speaks TLS.
  private(set) var opening: [UInt8] = []

  /// - Parameters:
  ///   - serverName: host name or IP address (no brackets) that the certificate must carry.
  ///   - port: with the name, whose tickets may be used.
  /// - Throws: `TLSError` of kind `configuration` where the name cannot be one.
  package init(context: TLSContext, serverName: String, port: UInt16) throws(TLSError) {
    let name = try TLSServerName(serverName)
    ERR_clear_error()
    guard let ssl = SSL_new(context.pointer) else { throw Self.outOfMemory() }
    let (input, output) = (BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()))
    guard let input, let output else {
      BIO_free(input)
      BIO_free(output)
      SSL_free(ssl)
      throw Self.outOfMemory()
    }
    SSL_set_bio(ssl, input, output)
    self.ssl = ssl
    self.input = input
    self.output = output
    self.context = context
    peer = TLSPeer(name: name.text, port: port)
    // From here on `deinit` frees it all, also when this throws.
    SSL_set_connect_state(ssl)
    SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
    try requireName()
  }

  deinit {
    // A connection that was lost without close_notify can be resumed all the same (RFC 5246,
    // 7.2.1), but SSL_free(3) spoils the session unless told that both were exchanged.
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    SSL_free(ssl)
  }

  /// Sends ClientHello, with the newest ticket for this server if there is one.
  package func start() {
    guard state == .idle else { return }
    if let session = context.takeSession(for: peer) {
      SSL_set_session(ssl, session.pointer)
      if !session.isSingleUse { offered = session }
    }
    state = .handshaking
    advanceHandshake()
  }

  // MARK: Ciphertext

  /// Takes what the transport read. Call ``read(into:)`` next, until it comes back short.
  ///
  /// What is not yet decrypted is kept in memory, so hand over pieces of some 16 KiB, not more.
  package func receive(_ ciphertext: UnsafeRawBufferPointer) {
    guard let start = ciphertext.baseAddress, !ciphertext.isEmpty else { return }
    switch state {
    case .ended, .closed, .failed:
      return
    case .idle, .handshaking, .open:
      var written = 0
      guard BIO_write_ex(input, start, ciphertext.count, &written) == 1,
        written == ciphertext.count
      else { return fail(Self.outOfMemory()) }
    }
    if state == .handshaking {
      if opening.count < 5 { opening.append(contentsOf: ciphertext.prefix(5 - opening.count)) }
      advanceHandshake()
    }
  }

  /// Bytes that wait to be sent.
  package var pendingCiphertextBytes: Int { Int(BIO_ctrl_pending(output)) }

  /// Moves bytes that wait to be sent into `buffer`; as many as fit.
  ///
  /// - Returns: how many were moved.
  package func takeCiphertext(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let start = buffer.baseAddress, !buffer.isEmpty else { return 0 }
    var count = 0
    guard BIO_read_ex(output, start, buffer.count, &count) == 1 else { return 0 }
    return count
  }

  /// The transport ended, with or without an error of its own.
  ///
  /// - Returns: what that broke off, if the server had not ended the stream: a handshake, or a
  ///   stream that is now `truncated`.
  package func transportEnded() -> TLSError? {
    switch state {
    case .ended, .closed, .failed:
      return nil
    case .idle:
      state = .closed
    case .handshaking:
      fail(handshakeBrokenOff())
    case .open:
      fail(
        TLSError(
          .truncated, "the connection ended without TLS close_notify, data may be missing"))
    }
    return failure
  }

  // MARK: Plaintext

  /// Decrypts into `buffer`, record by record, until it is full or all that came is decrypted.
  ///
  /// - Returns: how many bytes; fewer than fit mean that nothing is left.
  package func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard state == .open, let start = buffer.baseAddress else { return 0 }
    var filled = 0
    // Not before each read: one that succeeds adds nothing to the queue, and to look at it costs
    // a fifth of a small record.
    ERR_clear_error()
    while filled < buffer.count {
      var count = 0
      guard SSL_read_ex(ssl, start + filled, buffer.count - filled, &count) == 1 else {
        readStopped()
        break
      }
      filled += count
      // Asking once more to hear "nothing" costs as much as a small record.
      if BIO_ctrl_pending(input) == 0, SSL_has_pending(ssl) == 0 { break }
    }
    return filled
  }

  /// Encrypts at most one record of plaintext (16 KiB: RFC 8446, 5.1), so that whoever takes the
  /// ciphertext between calls bounds what is kept here.
  ///
  /// - Returns: how many bytes were taken; 0 where none can be sent, and then ``state`` says why.
  package func write(_ plaintext: UnsafeRawBufferPointer) -> Int {
    guard state == .open, let start = plaintext.baseAddress, !plaintext.isEmpty else { return 0 }
    var count = 0
    ERR_clear_error()
    guard SSL_write_ex(ssl, start, min(plaintext.count, Self.recordBytesMax), &count) == 1 else {
      fail(streamFailure())
      return 0
    }
    return count
  }

  static let recordBytesMax = 16384

  /// Sends close_notify, if the stream was open, and takes nothing more.
  package func close() {
    switch state {
    case .closed, .failed:
      return
    case .idle, .handshaking:
      break
    case .open, .ended:
      ERR_clear_error()
      // Its result tells whether the server's close_notify came, and nobody waits for that.
      SSL_shutdown(ssl)
    }
    state = .closed
  }

  // MARK: Inside

  /// SSL_CTX_sess_set_new_cb(3): runs inside `SSL_do_handshake` and `SSL_read_ex`.
  ///
  /// - Returns: 1 where the reference to `session` was taken over, else 0.
  static func ticketArrived(ssl: OpaquePointer, session: OpaquePointer) -> Int32 {
    guard SSL_SESSION_is_resumable(session) == 1, let data = SSL_get_ex_data(ssl, 0) else {
      return 0
    }
    let engine = Unmanaged<TLSEngine>.fromOpaque(data).takeUnretainedValue()
    engine.context.keep(TLSSession(adopting: session), for: engine.peer)
    return 1
  }

  private func requireName() throws(TLSError) {
    let parameters = SSL_get0_param(ssl)
    // RFC 9525, 6.3: the subject's common name counts for nothing, nor do partial wildcards.
    X509_VERIFY_PARAM_set_hostflags(
      parameters,
      UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    // Fails for what is no IP address; those have no place in SNI (RFC 6066, 3).
    if X509_VERIFY_PARAM_set1_ip_asc(parameters, peer.name) == 1 { return }
    guard X509_VERIFY_PARAM_set1_host(parameters, peer.name, peer.name.utf8.count) == 1,
      COpenSSL_SSL_set_tlsext_host_name(ssl, peer.name) == 1
    else {
      let words = OpenSSLErrors.drain() ?? "no reason given"
      throw TLSError(.configuration, "OpenSSL did not take the server name: \(words)")
    }
  }

  private func advanceHandshake() {
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    guard result != 1 else { return handshakeSucceeded() }
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      return
    case SSL_ERROR_ZERO_RETURN:
      fail(handshakeBrokenOff())
    default:
      fail(handshakeFailure())
    }
  }

  private func handshakeSucceeded() {
    let completed = TLSHandshakeCompleted(of: ssl)
    // OpenSSL compares the server's choice with what was offered only since 3.0.15.
    guard completed.alpn == nil || completed.alpn == TLSContext.alpn else {
      return fail(
        TLSError(.handshake, "the server chose another ALPN protocol than \(TLSContext.alpn)"))
    }
    if let offered, completed.isResumed { context.keep(offered, for: peer) }
    offered = nil
    opening = []
    handshake = completed
    context.handshakeSucceeded(isResumed: completed.isResumed)
    state = .open
  }

  private func readStopped() {
    switch SSL_get_error(ssl, 0) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      return
    case SSL_ERROR_ZERO_RETURN:
      state = .ended
    default:
      fail(streamFailure())
    }
  }

  private func fail(_ error: TLSError) {
    failure = error
    state = .failed
    offered = nil
  }
}
