import COpenSSL

/// What the connections of one test server share: its certificate, its ticket keys, its versions.
package final class TLSTestServerContext: @unchecked Sendable {
  let pointer: OpaquePointer
  /// The ALPN protocol that it answers with, whatever the client offers; `nil` for no answer.
  package let alpn: String?

  package init(
    _ identity: TLSTestIdentity, leastVersion: Int32 = TLS1_VERSION,
    mostVersion: Int32 = TLS1_3_VERSION, securityLevel: Int32 = 1, alpn: String? = "http/1.1",
    chain: [TLSTestIdentity] = [], clientAuthority: TLSTestAuthority? = nil
  ) {
    guard let pointer = SSL_CTX_new(TLS_server_method()) else {
      preconditionFailure("OpenSSL makes no context")
    }
    self.pointer = pointer
    self.alpn = alpn
    SSL_CTX_set_security_level(pointer, securityLevel)
    _ = COpenSSL_SSL_CTX_set_min_proto_version(pointer, leastVersion)
    _ = COpenSSL_SSL_CTX_set_max_proto_version(pointer, mostVersion)
    precondition(SSL_CTX_use_certificate(pointer, identity.certificate) == 1, "no certificate")
    precondition(SSL_CTX_use_PrivateKey(pointer, identity.key) == 1, "no key")
    for identity in chain {
      precondition(COpenSSL_SSL_CTX_add1_chain_cert(pointer, identity.certificate) == 1, "no chain")
    }
    if let clientAuthority {
      SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
      // A server that verifies clients has to say which of its uses a ticket belongs to.
      SSL_CTX_set_session_id_context(pointer, [1], 1)
      let isLoaded = SSL_CTX_load_verify_file(pointer, clientAuthority.file) == 1
      precondition(isLoaded, "no authority for clients")
    }
    if alpn != nil {
      SSL_CTX_set_alpn_select_cb(
        pointer,
        { _, out, outCount, _, _, argument in
          guard let argument, let out, let outCount else { return SSL_TLSEXT_ERR_NOACK }
          let name = Unmanaged<TLSTestServerContext>.fromOpaque(argument).takeUnretainedValue()
            .alpnBytes
          out.pointee = UnsafePointer(name.baseAddress)
          outCount.pointee = UInt8(name.count)
          return SSL_TLSEXT_ERR_OK
        }, Unmanaged.passUnretained(self).toOpaque())
    }
  }

  /// Lives as long as the context, since OpenSSL copies it only after the callback has returned.
  private lazy var alpnBytes: UnsafeMutableBufferPointer<UInt8> = {
    let name = Array((alpn ?? "").utf8)
    let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: name.count)
    _ = bytes.initialize(from: name)
    return bytes
  }()

  /// Has its tickets offer early data (RFC 8446, 4.2.10).
  package func offerEarlyData() {
    SSL_CTX_set_max_early_data(pointer, 16384)
    SSL_CTX_set_recv_max_early_data(pointer, 16384)
  }

  deinit {
    if alpn != nil { alpnBytes.deallocate() }
    SSL_CTX_free(pointer)
  }
}

/// The server's side of one TLS connection over memory BIOs.
package final class TLSTestServer {
  package private(set) var isHandshakeDone = false
  package private(set) var received: [UInt8] = []
  package private(set) var isEnded = false
  /// OpenSSL's reason of the first failure: what an alert from the client said, for one.
  package private(set) var failure: String?

  private let ssl: OpaquePointer
  private let input: OpaquePointer
  private let output: OpaquePointer
  private let context: TLSTestServerContext

  package init(_ context: TLSTestServerContext) {
    guard let ssl = SSL_new(context.pointer), let input = BIO_new(BIO_s_mem()),
      let output = BIO_new(BIO_s_mem())
    else { preconditionFailure("OpenSSL makes no connection") }
    self.context = context
    self.ssl = ssl
    self.input = input
    self.output = output
    SSL_set_bio(ssl, input, output)
    SSL_set_accept_state(ssl)
  }

  deinit {
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    SSL_free(ssl)
  }

  package var serverNameSeen: String? {
    SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
  }

  /// The common name of the client's certificate.
  package var clientName: String? {
    guard let certificate = SSL_get0_peer_certificate(ssl),
      let subject = X509_get_subject_name(certificate)
    else { return nil }
    var text = [CChar](repeating: 0, count: 128)
    guard X509_NAME_get_text_by_NID(subject, NID_commonName, &text, Int32(text.count)) >= 0 else {
      return nil
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  package var isResumed: Bool { SSL_session_reused(ssl) == 1 }

  /// Takes ciphertext, and goes as far as it gets.
  package func receive(_ bytes: [UInt8]) {
    guard !bytes.isEmpty, failure == nil else { return }
    var written = 0
    BIO_write_ex(input, bytes, bytes.count, &written)
    if !isHandshakeDone { handshake() }
    if isHandshakeDone { readAll() }
  }

  package func takeOutput() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(BIO_ctrl_pending(output)))
    var count = 0
    if !bytes.isEmpty { BIO_read_ex(output, &bytes, bytes.count, &count) }
    return Array(bytes.prefix(count))
  }

  package func write(_ bytes: [UInt8]) {
    var count = 0
    ERR_clear_error()
    precondition(SSL_write_ex(ssl, bytes, bytes.count, &count) == 1, "the server cannot write")
  }

  package func sendCloseNotify() {
    ERR_clear_error()
    SSL_shutdown(ssl)
  }

  /// Sends a HelloRequest (TLS 1.2).
  package func requestRenegotiation() {
    ERR_clear_error()
    precondition(SSL_renegotiate(ssl) == 1, "no renegotiation")
    precondition(SSL_do_handshake(ssl) == 1, "no HelloRequest sent")
  }

  /// Handshakes that came to their end, over all connections of the context.
  package var handshakes: Int {
    SSL_CTX_ctrl(context.pointer, SSL_CTRL_SESS_ACCEPT_GOOD, 0, nil)
  }

  package func requestKeyUpdate() {
    ERR_clear_error()
    precondition(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1, "no key update")
    precondition(SSL_do_handshake(ssl) == 1, "no key update sent")
  }

  private func handshake() {
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    if result == 1 { isHandshakeDone = true } else { note(SSL_get_error(ssl, result)) }
  }

  private func readAll() {
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
      var count = 0
      ERR_clear_error()
      guard SSL_read_ex(ssl, &chunk, chunk.count, &count) == 1 else {
        return note(SSL_get_error(ssl, 0))
      }
      received += chunk.prefix(count)
    }
  }

  private func note(_ error: Int32) {
    switch error {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
    case SSL_ERROR_ZERO_RETURN: isEnded = true
    default:
      failure = ERR_reason_error_string(ERR_get_error()).map { String(cString: $0) } ?? "unknown"
    }
  }
}
