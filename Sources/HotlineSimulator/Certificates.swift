import COpenSSL
import Foundation
import Glibc

/// A throw-away certificate authority and one server certificate that it signed.
///
/// The authority's private key is never kept, so nothing else can be signed with it.
struct Certificates: Sendable, Equatable {
  let authorityPEM: String
  let serverPEM: String
  let serverKeyPEM: String

  private static let authorityFile = "ca.pem"
  private static let serverFile = "server.pem"
  private static let serverKeyFile = "server.key"

  /// Reads what an earlier start left in the directory, so that a client that trusts its `ca.pem`
  /// still does after a restart, or makes all three files.
  ///
  /// The directory is made if it is missing; the key is written with mode 0600.
  static func loadOrMake(in directory: String) throws -> Certificates {
    func path(_ file: String) -> String { "\(directory)/\(file)" }
    func text(_ file: String) -> String? {
      FileManager.default.contents(atPath: path(file)).map { String(decoding: $0, as: UTF8.self) }
    }
    if let authority = text(authorityFile), let server = text(serverFile),
      let key = text(serverKeyFile)
    {
      return Certificates(authorityPEM: authority, serverPEM: server, serverKeyPEM: key)
    }
    let made = try make()
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    try write(made.serverKeyPEM, to: path(serverKeyFile), mode: 0o600)
    try write(made.serverPEM, to: path(serverFile), mode: 0o644)
    try write(made.authorityPEM, to: path(authorityFile), mode: 0o644)
    return made
  }

  /// Writes a file whose mode is right from its first byte on.
  static func write(_ text: String, to path: String, mode: mode_t) throws {
    unlink(path)
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard file >= 0 else {
      throw SimulatorError("cannot write \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    let bytes = Array(text.utf8)
    guard Glibc.write(file, bytes, bytes.count) == bytes.count else {
      throw SimulatorError("cannot write \(path): \(String(cString: strerror(errno)))")
    }
  }
}

extension Certificates {
  /// An authority and a certificate for `localhost`, `127.0.0.1` and `::1`, valid for 30 days.
  static func make() throws -> Certificates {
    let authorityKey = try PrivateKey()
    let serverKey = try PrivateKey()
    let authority = try Certificate(commonName: "Hotline simulator authority", key: authorityKey)
    try authority.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0", issuer: authority)
    try authority.add(NID_key_usage, "critical,keyCertSign,cRLSign", issuer: authority)
    try authority.add(NID_subject_key_identifier, "hash", issuer: authority)
    try authority.sign(issuer: authority, key: authorityKey)
    let server = try Certificate(commonName: "localhost", key: serverKey)
    try server.add(NID_basic_constraints, "critical,CA:FALSE", issuer: authority)
    try server.add(NID_key_usage, "critical,digitalSignature", issuer: authority)
    try server.add(NID_ext_key_usage, "serverAuth", issuer: authority)
    try server.add(
      NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1", issuer: authority)
    try server.add(NID_authority_key_identifier, "keyid", issuer: authority)
    try server.sign(issuer: authority, key: authorityKey)
    return Certificates(
      authorityPEM: try authority.pem(), serverPEM: try server.pem(),
      serverKeyPEM: try serverKey.pem())
  }
}

/// A fresh P-256 key.
private final class PrivateKey {
  let pointer: OpaquePointer

  init() throws {
    guard let key = COpenSSL_EVP_EC_gen("P-256") else {
      throw SimulatorError.openSSL("EVP_EC_gen")
    }
    pointer = key
  }

  deinit { EVP_PKEY_free(pointer) }

  func pem() throws -> String {
    try textFromBIO("PEM_write_bio_PrivateKey") {
      PEM_write_bio_PrivateKey($0, pointer, nil, nil, 0, nil, nil)
    }
  }
}

/// A certificate while it is put together.
private final class Certificate {
  private static let secondsValid = 30 * 24 * 3600
  /// `MBSTRING_ASC` of openssl/asn1.h, whose macro does not import.
  private static let asciiString: Int32 = 0x1001

  let pointer: OpaquePointer

  init(commonName: String, key: PrivateKey) throws {
    guard let certificate = X509_new() else { throw SimulatorError.openSSL("X509_new") }
    pointer = certificate
    let serial = Int64.random(in: 1...Int64.max)
    // A day of slack for clocks that differ.
    guard X509_set_version(pointer, 2) == 1,
      ASN1_INTEGER_set_int64(X509_get_serialNumber(pointer), serial) == 1,
      X509_gmtime_adj(X509_getm_notBefore(pointer), -24 * 3600) != nil,
      X509_gmtime_adj(X509_getm_notAfter(pointer), Self.secondsValid) != nil,
      X509_NAME_add_entry_by_txt(
        X509_get_subject_name(pointer), "CN", Self.asciiString, Array(commonName.utf8),
        Int32(commonName.utf8.count), -1, 0) == 1,
      X509_set_pubkey(pointer, key.pointer) == 1
    else { throw SimulatorError.openSSL("X509") }
  }

  deinit { X509_free(pointer) }

  func add(_ identifier: Int32, _ value: String, issuer: Certificate) throws {
    var context = X509V3_CTX()
    X509V3_set_ctx(&context, issuer.pointer, pointer, nil, nil, 0)
    guard let made = X509V3_EXT_conf_nid(nil, &context, identifier, value) else {
      throw SimulatorError.openSSL("X509V3_EXT_conf_nid \(value)")
    }
    defer { X509_EXTENSION_free(made) }
    guard X509_add_ext(pointer, made, -1) == 1 else {
      throw SimulatorError.openSSL("X509_add_ext")
    }
  }

  func sign(issuer: Certificate, key: PrivateKey) throws {
    guard X509_set_issuer_name(pointer, X509_get_subject_name(issuer.pointer)) == 1,
      X509_sign(pointer, key.pointer, EVP_sha256()) > 0
    else { throw SimulatorError.openSSL("X509_sign") }
  }

  func pem() throws -> String {
    try textFromBIO("PEM_write_bio_X509") { PEM_write_bio_X509($0, pointer) }
  }
}

/// What the given function writes into a memory BIO.
private func textFromBIO(_ step: String, _ write: (OpaquePointer) -> Int32) throws -> String {
  guard let bio = BIO_new(BIO_s_mem()) else { throw SimulatorError.openSSL("BIO_new") }
  defer { BIO_free(bio) }
  guard write(bio) == 1 else { throw SimulatorError.openSSL(step) }
  var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
  let count = BIO_read(bio, &bytes, Int32(bytes.count))
  guard count == bytes.count else { throw SimulatorError.openSSL("BIO_read") }
  return String(decoding: bytes, as: UTF8.self)
}
