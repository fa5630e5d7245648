import COpenSSL

/// OpenSSL's server settings: one certificate, TLS 1.2 at least, ALPN http/1.1, session tickets on.
///
/// Immutable once made. Connections hold on to it.
final class TLSServerContext: @unchecked Sendable {
  private let context: OpaquePointer

  init(_ certificates: Certificates) throws {
    guard let context = SSL_CTX_new(TLS_server_method()) else {
      throw SimulatorError.openSSL("SSL_CTX_new")
    }
    self.context = context
    guard COpenSSL_SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 else {
      throw SimulatorError.openSSL("SSL_CTX_set_min_proto_version")
    }
    // A renegotiation would make writes wait for reads.
    SSL_CTX_set_options(context, COpenSSL_SSL_OP_NO_RENEGOTIATION())
    try useCertificate(certificates.serverPEM)
    try usePrivateKey(certificates.serverKeyPEM)
    guard SSL_CTX_check_private_key(context) == 1 else {
      throw SimulatorError.openSSL("the certificate and its key do not match")
    }
    // Without an id a server that resumes answers with a fatal alert:
    // SSL_CTX_set_session_id_context(3).
    let identifier = Array("hotline-simulator".utf8)
    SSL_CTX_set_session_id_context(context, identifier, UInt32(identifier.count))
    SSL_CTX_set_alpn_select_cb(
      context,
      { _, chosen, length, offered, count, _ in
        selectHTTP1(chosen, length, offered, count)
      }, nil)
  }

  deinit { SSL_CTX_free(context) }

  /// A new server side over the two memory BIOs, which it owns from then on.
  func makeServer(reading: OpaquePointer, writing: OpaquePointer) -> OpaquePointer? {
    guard let ssl = SSL_new(context) else { return nil }
    SSL_set_bio(ssl, reading, writing)
    SSL_set_accept_state(ssl)
    return ssl
  }

  private func useCertificate(_ pem: String) throws {
    let certificate = try readPEM(pem) { PEM_read_bio_X509($0, nil, nil, nil) }
    defer { X509_free(certificate) }
    guard SSL_CTX_use_certificate(context, certificate) == 1 else {
      throw SimulatorError.openSSL("SSL_CTX_use_certificate")
    }
  }

  private func usePrivateKey(_ pem: String) throws {
    let key = try readPEM(pem) { PEM_read_bio_PrivateKey($0, nil, nil, nil) }
    defer { EVP_PKEY_free(key) }
    guard SSL_CTX_use_PrivateKey(context, key) == 1 else {
      throw SimulatorError.openSSL("SSL_CTX_use_PrivateKey")
    }
  }

  private func readPEM(
    _ pem: String, _ read: (OpaquePointer) -> OpaquePointer?
  ) throws -> OpaquePointer {
    let bytes = Array(pem.utf8)
    return try bytes.withUnsafeBytes { buffer in
      guard let bio = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count)) else {
        throw SimulatorError.openSSL("BIO_new_mem_buf")
      }
      defer { BIO_free(bio) }
      guard let object = read(bio) else { throw SimulatorError.openSSL("reading PEM") }
      return object
    }
  }
}

/// Picks `http/1.1` from a client's list of length-prefixed names (RFC 7301 section 3.1), and goes
/// on without a protocol if it is not in there.
private func selectHTTP1(
  _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
  _ chosenLength: UnsafeMutablePointer<UInt8>?,
  _ offered: UnsafePointer<UInt8>?, _ offeredLength: UInt32
) -> Int32 {
  let wanted = Array("http/1.1".utf8)
  let list = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
  var index = 0
  while index < list.count {
    let end = index + 1 + Int(list[index])
    guard end <= list.count else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    if list[(index + 1)..<end].elementsEqual(wanted) {
      chosen?.pointee = list.baseAddress.map { $0 + index + 1 }
      chosenLength?.pointee = list[index]
      return SSL_TLSEXT_ERR_OK
    }
    index = end
  }
  return SSL_TLSEXT_ERR_NOACK
}
