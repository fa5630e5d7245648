import COpenSSL
import Foundation
import HotlineTLS
import TestSupport
import Testing

@Suite struct VerificationTests {
  struct BadCertificate: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let identity: TLSTestIdentity
    var chain: [TLSTestIdentity] = []
    var name = "api.example.com"
    let reason: String
    /// What else the message says.
    var hint = ""
  }

  private static let names = "DNS:api.example.com"

  private static func issue(
    _ making: TLSTestIdentity.Making, by issuer: TLSTestIdentity = TLSTestWorld.authority.identity
  ) -> TLSTestIdentity {
    .make(commonName: "server", subjectAltName: names, issuer: issuer, making: making)
  }

  /// Signed with a key that is good for a server, not for an authority.
  private static let noAuthority = TLSTestWorld.authority.issue(
    "DNS:shop.example", commonName: "shop")
  private static let strangeAuthority = TLSTestAuthority(commonName: "Other CA")

  static let badCertificates: [BadCertificate] = [
    BadCertificate(
      testDescription: "expired",
      identity: TLSTestWorld.authority.issue(names, validFrom: -7200, validUntil: -3600),
      reason: "certificate has expired", hint: "clock"),
    BadCertificate(
      testDescription: "not yet valid",
      identity: TLSTestWorld.authority.issue(names, validFrom: 3600),
      reason: "certificate is not yet valid", hint: "clock"),
    BadCertificate(
      testDescription: "wrong host", identity: TLSTestWorld.authority.issue("DNS:other.example"),
      reason: "hostname mismatch", hint: "other names"),
    BadCertificate(
      testDescription: "wildcard one level too deep", identity: TLSTestWorld.identity,
      name: "a.b.wild.example", reason: "hostname mismatch", hint: "other names"),
    BadCertificate(
      testDescription: "wildcard for a name itself", identity: TLSTestWorld.identity,
      name: "wild.example", reason: "hostname mismatch"),
    BadCertificate(
      testDescription: "name in the common name only",
      identity: TLSTestWorld.authority.issue(nil, commonName: "api.example.com"),
      reason: "hostname mismatch"),
    BadCertificate(
      testDescription: "other address", identity: TLSTestWorld.identity, name: "127.0.0.2",
      reason: "IP address mismatch", hint: "other names"),
    BadCertificate(
      testDescription: "address as a DNS name",
      identity: TLSTestWorld.authority.issue("DNS:127.0.0.1"), name: "127.0.0.1",
      reason: "IP address mismatch"),
    BadCertificate(
      testDescription: "self-signed",
      identity: .make(commonName: "self", subjectAltName: names),
      reason: "self-signed certificate", hint: "ca_file"),
    BadCertificate(
      testDescription: "unknown CA", identity: strangeAuthority.issue(names),
      reason: "unable to get local issuer certificate", hint: "ca_file"),
    BadCertificate(
      testDescription: "unknown CA that is sent along", identity: strangeAuthority.issue(names),
      chain: [strangeAuthority.identity],
      reason: "self-signed certificate in certificate chain", hint: "ca_file"),
    BadCertificate(
      testDescription: "signed by a certificate that is no authority",
      identity: issue(.init(), by: noAuthority), chain: [noAuthority],
      reason: "invalid CA certificate", hint: "may not sign"),
    BadCertificate(
      testDescription: "weak key", identity: issue(.init(rsaBits: 1024)),
      reason: "EE certificate key too weak", hint: "2048 bits"),
    BadCertificate(
      testDescription: "weak digest", identity: issue(.init(isSignedWithSHA1: true)),
      reason: "CA signature digest algorithm too weak", hint: "SHA-256"),
    BadCertificate(
      testDescription: "made out for clients", identity: issue(.init(usage: "clientAuth")),
      reason: "unsuitable certificate purpose", hint: "by a server"),
  ]

  @Test(arguments: badCertificates, HandshakeTests.versions)
  func badCertificateIsRefusedWithItsReasonAndAnAlert(bad: BadCertificate, version: Int32) throws {
    let serverContext = TLSTestServerContext(
      bad.identity, mostVersion: version, securityLevel: 0, chain: bad.chain)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext, name: bad.name)
    pair.run()
    let error = try #require(pair.client.failure)
    #expect(error.kind == .certificate)
    #expect(error.verifyReason == bad.reason)
    #expect(error.description.contains(bad.reason))
    #expect(bad.hint.isEmpty || error.description.contains(bad.hint), "\(error)")
    #expect(error.description.contains(bad.name))
    // The alert was flushed, so the server knows whose fault it was.
    #expect(pair.server.failure?.contains("alert") == true, "\(pair.server.failure ?? "none")")
    #expect(pair.client.handshake == nil)
    #expect(pair.client.encrypt([1]).isEmpty)
  }

  @Test func wildcardStandsForOneLabel() throws {
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    var pair = try TLSTestPair(
      TLSTestWorld.clientContext(), serverContext, name: "a.wild.example")
    pair.run()
    #expect(pair.client.state == .open)
  }

  @Test func theSystemStoreDoesNotKnowTheTestCA() throws {
    var pair = try TLSTestPair(
      TLSContext(trust: .system), TLSTestServerContext(TLSTestWorld.identity))
    pair.run()
    #expect(pair.client.failure?.kind == .certificate)
    #expect(pair.client.failure?.description.contains("ca_file") == true)
  }

  @Test func caFileThatIsMissingOrHoldsNoCertificateIsRefusedByName() throws {
    let empty = FileManager.default.temporaryDirectory.appendingPathComponent(
      "tls-test-\(UUID().uuidString)")
    try Data("no certificate here\n".utf8).write(to: empty)
    defer { try? FileManager.default.removeItem(at: empty) }
    let missing = "/nonexistent/ca.pem"
    for (path, words) in [
      (missing, "No such file or directory"), (empty.path, "no certificate"), ("/", "/"),
    ] {
      let error = #expect(throws: TLSError.self) { try TLSContext(trust: .caFile(path)) }
      #expect(error?.kind == .configuration)
      #expect(error?.description.contains("\"\(path)\"") == true)
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
    for path in ["", "a\0b"] {
      let error = #expect(throws: TLSError.self) { try TLSContext(trust: .caFile(path)) }
      #expect(error?.kind == .configuration)
    }
  }
}
