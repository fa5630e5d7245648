import COpenSSL
import Foundation
import HotlineTLS
import TestSupport
import Testing

@Suite struct VerificationTests {
  struct BadCertificate: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let identity: TLSTestIdentity
    let reason: String
  }

  static let badCertificates: [BadCertificate] = [
    BadCertificate(
      testDescription: "expired",
      identity: TLSTestWorld.authority.issue(
        "DNS:api.example.com", validFrom: -7200, validUntil: -3600),
      reason: "certificate has expired"),
    BadCertificate(
      testDescription: "not yet valid",
      identity: TLSTestWorld.authority.issue("DNS:api.example.com", validFrom: 3600),
      reason: "certificate is not yet valid"),
    BadCertificate(
      testDescription: "wrong host", identity: TLSTestWorld.authority.issue("DNS:other.example"),
      reason: "hostname mismatch"),
    BadCertificate(
      testDescription: "name in the common name only",
      identity: TLSTestWorld.authority.issue(nil, commonName: "api.example.com"),
      reason: "hostname mismatch"),
    BadCertificate(
      testDescription: "self-signed",
      identity: .make(commonName: "self", subjectAltName: "DNS:api.example.com"),
      reason: "self-signed certificate"),
    BadCertificate(
      testDescription: "unknown CA",
      identity: TLSTestAuthority(commonName: "Other CA").issue("DNS:api.example.com"),
      reason: "unable to get local issuer certificate"),
  ]

  @Test(arguments: badCertificates, HandshakeTests.versions)
  func badCertificateIsRefusedWithItsReasonAndAnAlert(bad: BadCertificate, version: Int32) throws {
    let serverContext = TLSTestServerContext(bad.identity, mostVersion: version)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext)
    pair.run()
    let error = try #require(pair.client.failure)
    #expect(error.kind == .certificate)
    #expect(error.verifyReason == bad.reason)
    #expect(error.description.contains(bad.reason))
    #expect(error.description.contains("api.example.com"))
    // The alert was flushed, so the server knows whose fault it was.
    #expect(pair.server.failure?.contains("alert") == true, "\(pair.server.failure ?? "none")")
    #expect(pair.client.handshake == nil)
    #expect(pair.client.encrypt([1]).isEmpty)
  }

  @Test func wrongAddressIsRefused() throws {
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext, name: "127.0.0.2")
    pair.run()
    #expect(pair.client.failure?.kind == .certificate)
    #expect(pair.client.failure?.verifyReason == "IP address mismatch")
  }

  @Test func anAddressAsDNSNameDoesNotCount() throws {
    let identity = TLSTestWorld.authority.issue("DNS:127.0.0.1")
    var pair = try TLSTestPair(
      TLSTestWorld.clientContext(), TLSTestServerContext(identity), name: "127.0.0.1")
    pair.run()
    #expect(pair.client.failure?.kind == .certificate)
  }

  @Test(arguments: [("a.wild.example", true), ("wild.example", false), ("a.b.wild.example", false)])
  func wildcardStandsForOneLabel(name: String, isAccepted: Bool) throws {
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext, name: name)
    pair.run()
    #expect((pair.client.state == .open) == isAccepted)
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
