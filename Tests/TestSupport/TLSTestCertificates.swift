import COpenSSL
import Foundation
import Glibc

/// A private key and the certificate made out for it.
package final class TLSTestIdentity: @unchecked Sendable {
  let key: OpaquePointer
  let certificate: OpaquePointer

  fileprivate init(key: OpaquePointer, certificate: OpaquePointer) {
    self.key = key
    self.certificate = certificate
  }

  deinit {
    EVP_PKEY_free(key)
    X509_free(certificate)
  }

  /// What a certificate is made of that is seldom of interest.
  package struct Making: Sendable {
    /// Bits of an RSA key; `nil` for one of P-256.
    package var rsaBits: UInt32?
    /// Whether it is signed with SHA-1.
    package var isSignedWithSHA1 = false
    /// Extended key usage, as in `openssl.cnf`.
    package var usage: String?

    package init(rsaBits: UInt32? = nil, isSignedWithSHA1: Bool = false, usage: String? = nil) {
      self.rsaBits = rsaBits
      self.isSignedWithSHA1 = isSignedWithSHA1
      self.usage = usage
    }
  }

  /// The private key in PEM form.
  ///
  /// - Parameter passphrase: encrypts it.
  package func keyPEM(passphrase: String? = nil) -> String {
    text { bio in
      let phrase = Array((passphrase ?? "").utf8)
      return PEM_write_bio_PrivateKey(
        bio, key, passphrase == nil ? nil : EVP_aes_256_cbc(), phrase, Int32(phrase.count), nil, nil
      )
    }
  }

  package var pem: String { text { PEM_write_bio_X509($0, certificate) } }

  private func text(_ write: (OpaquePointer) -> Int32) -> String {
    guard let bio = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(bio) }
    precondition(write(bio) == 1, "OpenSSL writes no PEM")
    var bytes = [UInt8](repeating: 0, count: Int(BIO_ctrl_pending(bio)))
    var count = 0
    BIO_read_ex(bio, &bytes, bytes.count, &count)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }

  /// - Parameters:
  ///   - subjectAltName: as in `openssl.cnf`: `DNS:localhost,IP:127.0.0.1`; `nil` for none.
  ///   - issuer: who signs; `nil` signs with the key itself.
  ///   - validFrom: seconds from now.
  ///   - validUntil: seconds from now.
  package static func make(
    commonName: String, subjectAltName: String? = nil, isAuthority: Bool = false,
    issuer: TLSTestIdentity? = nil, validFrom: Int = -3600, validUntil: Int = 86_400,
    making: Making = Making()
  ) -> TLSTestIdentity {
    let made = making.rsaBits.map { COpenSSL_EVP_RSA_gen($0) } ?? COpenSSL_EVP_EC_gen("P-256")
    guard let key = made, let certificate = X509_new() else {
      preconditionFailure("OpenSSL makes no key")
    }
    let identity = TLSTestIdentity(key: key, certificate: certificate)
    X509_set_version(certificate, 2)
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...1_000_000_000))
    X509_gmtime_adj(X509_getm_notBefore(certificate), validFrom)
    X509_gmtime_adj(X509_getm_notAfter(certificate), validUntil)
    X509_set_pubkey(certificate, key)
    X509_NAME_add_entry_by_txt(
      X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, commonName, -1, -1, 0)
    let signer = issuer ?? identity
    X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate))
    identity.add(NID_basic_constraints, isAuthority ? "critical,CA:TRUE" : "CA:FALSE", signer)
    if isAuthority { identity.add(NID_key_usage, "critical,keyCertSign,cRLSign", signer) }
    if let subjectAltName { identity.add(NID_subject_alt_name, subjectAltName, signer) }
    if let usage = making.usage { identity.add(NID_ext_key_usage, usage, signer) }
    let digest = making.isSignedWithSHA1 ? EVP_sha1() : EVP_sha256()
    precondition(X509_sign(certificate, signer.key, digest) > 0, "not signed")
    return identity
  }

  private func add(_ nid: Int32, _ value: String, _ signer: TLSTestIdentity) {
    var context = X509V3_CTX()
    COpenSSL_X509V3_set_ctx_nodb(&context)
    X509V3_set_ctx(&context, signer.certificate, certificate, nil, nil, 0)
    guard let added = X509V3_EXT_conf_nid(nil, &context, nid, value) else {
      preconditionFailure("OpenSSL does not take the extension \(value)")
    }
    X509_add_ext(certificate, added, -1)
    X509_EXTENSION_free(added)
  }
}

/// A certificate authority with its certificate in a file that ends with the process.
package final class TLSTestAuthority: Sendable {
  package let identity: TLSTestIdentity
  package let file: String
  private let descriptor: Int32

  package init(commonName: String = "Test CA") {
    identity = TLSTestIdentity.make(commonName: commonName, isAuthority: true)
    let directory = FileManager.default.temporaryDirectory.path
    var template = Array("\(directory)/tls-test-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    precondition(descriptor >= 0, "no CA file")
    unlink(template)
    file = "/proc/self/fd/\(descriptor)"
    let bytes = Array(identity.pem.utf8)
    precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count, "no CA file")
  }

  deinit {
    close(descriptor)
  }

  package func issue(
    _ subjectAltName: String?, commonName: String = "server", validFrom: Int = -3600,
    validUntil: Int = 86_400, making: TLSTestIdentity.Making = .init()
  ) -> TLSTestIdentity {
    .make(
      commonName: commonName, subjectAltName: subjectAltName, issuer: identity,
      validFrom: validFrom, validUntil: validUntil, making: making)
  }
}
