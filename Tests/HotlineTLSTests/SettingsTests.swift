import COpenSSL
import HotlineTLS
import TestSupport
import Testing

@Suite struct SettingsTests {
  private static let other = TLSTestAuthority(commonName: "Other CA")

  private func opens(
    _ settings: TLSSettings, _ identity: TLSTestIdentity,
    version: Int32 = TLS1_3_VERSION
  ) throws -> TLSTestPair {
    var pair = try TLSTestPair(
      TLSContext(settings), TLSTestServerContext(identity, mostVersion: version))
    pair.run()
    return pair
  }

  // MARK: Authorities

  @Test func anExtraAuthorityIsTrustedBesideTheOthers() throws {
    let settings = TLSSettings(
      trust: .caFile(TLSTestWorld.authority.file), caFileExtra: Self.other.file)
    #expect(try opens(settings, TLSTestWorld.identity).client.state == .open)
    let identity = Self.other.issue("DNS:api.example.com")
    #expect(try opens(settings, identity).client.state == .open)
    let system = TLSSettings(caFileExtra: Self.other.file)
    #expect(try opens(system, identity).client.state == .open)
    #expect(try opens(system, TLSTestWorld.identity).client.failure?.kind == .certificate)
  }

  @Test func aFileThatCannotBeUsedIsNamedWithItsSetting() throws {
    let directory = try TemporaryDirectory()
    let empty = try directory.write("empty.pem", "nothing here\n")
    let key = try directory.write("key.pem", Self.other.identity.keyPEM())
    let strange = try directory.write("strange.pem", TLSTestWorld.identity.keyPEM())
    let locked = try directory.write(
      "locked.pem", Self.other.identity.keyPEM(passphrase: "hunter2"))
    let certificate = try directory.write("certificate.pem", Self.other.identity.pem)
    func client(_ certificate: String, _ key: String) -> TLSSettings {
      TLSSettings(clientIdentity: .init(certificateFile: certificate, keyFile: key))
    }
    let cases: [(TLSSettings, TLSSettings.Item, String)] = [
      (TLSSettings(trust: .caFile(empty)), .caFile, empty),
      (TLSSettings(caFileExtra: empty), .caFileExtra, empty),
      (TLSSettings(caFileExtra: "/nowhere"), .caFileExtra, "/nowhere"),
      (client(empty, key), .clientCertificate, empty),
      (client("/nowhere", key), .clientCertificate, "No such file"),
      (client("", key), .clientCertificate, "empty"),
      (client(certificate, "a\0b"), .clientKey, "NUL"),
      (client(certificate, "/nowhere"), .clientKey, "/nowhere"),
      (client(certificate, certificate), .clientKey, certificate),
      (client(certificate, strange), .clientKey, "belongs to the certificate"),
      (client(certificate, locked), .clientKey, "passphrase"),
    ]
    for (settings, item, words) in cases {
      let error = #expect(throws: TLSError.self) { try TLSContext(settings) }
      #expect(error?.kind == .configuration)
      #expect(error?.item == item)
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
    _ = try TLSContext(client(certificate, key))
  }

  // MARK: Client certificates

  @Test(arguments: HandshakeTests.versions)
  func theClientsCertificateIsShownToAServerThatAsks(version: Int32) throws {
    let directory = try TemporaryDirectory()
    let identity = Self.other.issue(nil, commonName: "client-7", making: .init(usage: "clientAuth"))
    let both = try directory.write("both.pem", identity.pem + identity.keyPEM())
    let asking = TLSTestServerContext(
      TLSTestWorld.identity, mostVersion: version, clientAuthority: Self.other)
    let trust = TLSSettings.Trust.caFile(TLSTestWorld.authority.file)
    var pair = try TLSTestPair(
      TLSContext(
        TLSSettings(
          trust: trust, clientIdentity: .init(certificateFile: both, keyFile: both))), asking)
    pair.run()
    #expect(pair.client.state == .open)
    #expect(pair.server.clientName == "client-7")
    var anonymous = try TLSTestPair(TLSContext(trust: trust), asking)
    anonymous.run()
    #expect(anonymous.client.state == .failed)
    #expect(
      anonymous.client.failure?.description.contains("certificate required") == true
        || anonymous.client.failure?.description.contains("handshake failure") == true,
      "\(String(describing: anonymous.client.failure))")
  }

  // MARK: Pins

  private static let goodPin = TLSTestPins.pin(of: TLSTestWorld.identity)

  @Test(arguments: HandshakeTests.versions)
  func aPinnedKeyAnywhereInTheChainIsEnough(version: Int32) throws {
    let trust = TLSSettings.Trust.caFile(TLSTestWorld.authority.file)
    let authority = TLSTestPins.pin(of: TLSTestWorld.authority.identity)
    let stranger = TLSTestPins.pin(of: Self.other.identity)
    for pins in [[Self.goodPin], [authority], [stranger, Self.goodPin]] {
      let settings = TLSSettings(trust: trust, pins: try pins.map(Self.parsed))
      let pair = try opens(settings, TLSTestWorld.identity, version: version)
      #expect(pair.client.state == .open, "\(String(describing: pair.client.failure))")
    }
    let settings = TLSSettings(trust: trust, pins: [try Self.parsed(stranger)])
    let context = try TLSContext(settings)
    var pair = try TLSTestPair(
      context, TLSTestServerContext(TLSTestWorld.identity, mostVersion: version))
    pair.run()
    let error = try #require(pair.client.failure)
    #expect(error.kind == .certificate)
    #expect(error.description.contains("pin_sha256"), "\(error)")
    #expect(pair.server.failure?.contains("alert") == true)
    #expect(context.sessionCount == 0)
  }

  @Test func aPinIsNoReplacementForAGoodCertificate() throws {
    let settings = TLSSettings(
      trust: .caFile(Self.other.file), pins: [try Self.parsed(Self.goodPin)])
    let pair = try opens(settings, TLSTestWorld.identity)
    #expect(pair.client.failure?.verifyReason == "unable to get local issuer certificate")
  }

  @Test func aPinnedConnectionIsResumedToo() throws {
    let context = try TLSContext(
      TLSSettings(
        trust: .caFile(TLSTestWorld.authority.file), pins: [try Self.parsed(Self.goodPin)]))
    let server = TLSTestServerContext(TLSTestWorld.identity)
    for isResumed in [false, true] {
      var pair = try TLSTestPair(context, server)
      pair.run()
      #expect(pair.client.handshake?.isResumed == isResumed)
    }
  }

  private static func parsed(_ text: String) throws -> TLSPin {
    try #require(TLSPin(base64: text))
  }

  @Test(arguments: [
    "", "abc", goodPin + "=", String(goodPin.dropLast()), "sha256//" + goodPin,
    String(goodPin.dropLast(2)) + "B=", " " + goodPin.dropFirst(), "-" + goodPin.dropFirst(),
  ])
  func whatIsNoDigestIsNoPin(text: String) {
    #expect(TLSPin(base64: text) == nil)
  }

  // MARK: Versions

  @Test func theLeastVersionIsKeptTo() throws {
    let trust = TLSSettings.Trust.caFile(TLSTestWorld.authority.file)
    let strict = TLSSettings(trust: trust, leastVersion: .tls13)
    let old = try opens(strict, TLSTestWorld.identity, version: TLS1_2_VERSION)
    #expect(old.client.failure?.kind == .handshake)
    #expect(old.client.failure?.description.contains("protocol") == true)
    #expect(try opens(strict, TLSTestWorld.identity).client.handshake?.version == "TLSv1.3")
    let usual = TLSSettings(trust: trust)
    let pair = try opens(usual, TLSTestWorld.identity, version: TLS1_2_VERSION)
    #expect(pair.client.handshake?.version == "TLSv1.2")
  }

  // MARK: Resumption

  @Test func handshakesAndResumedOnesAreCounted() throws {
    let context = try TLSTestWorld.clientContext()
    let server = TLSTestServerContext(TLSTestWorld.identity)
    for _ in 1...3 {
      var pair = try TLSTestPair(context, server)
      pair.run()
    }
    var refused = try TLSTestPair(context, server, name: "other.example")
    refused.run()
    #expect(context.handshakes.all == 3)
    #expect(context.handshakes.resumed == 2)
  }

  /// RFC 8446, 4.2: extension 42 announces early data, and 41 offers the ticket.
  @Test func earlyDataIsNeverSentThoughTheTicketAllowsIt() throws {
    let context = try TLSTestWorld.clientContext()
    let server = TLSTestServerContext(TLSTestWorld.identity)
    server.offerEarlyData()
    var first = try TLSTestPair(context, server)
    first.run()
    #expect(context.sessionCount == 2)
    let second = try TLSEngine(context: context, serverName: "api.example.com", port: 443)
    second.start()
    let extensions = try #require(ClientHello.extensions(second.takeAll()))
    #expect(extensions.contains(41))
    #expect(!extensions.contains(42))
    #expect(second.encrypt([1]).isEmpty)
  }
}

/// RFC 8446, 4.1.2.
private enum ClientHello {
  /// The types of the extensions in a record; `nil` for what is no ClientHello.
  static func extensions(_ record: [UInt8]) -> [Int]? {
    var rest = record[...]
    func number(_ bytes: Int) -> Int {
      let value = rest.prefix(bytes).reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(bytes)
      return value
    }
    func skip(_ count: Int) { rest = rest.dropFirst(count) }
    guard number(1) == 22 else { return nil }
    skip(4)
    guard number(1) == 1 else { return nil }
    skip(3 + 2 + 32)
    skip(number(1))
    skip(number(2))
    skip(number(1))
    skip(2)
    var types: [Int] = []
    while !rest.isEmpty {
      types.append(number(2))
      skip(number(2))
    }
    return types
  }
}
