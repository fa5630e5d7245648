import HotlineCore
import NIOCore
import TestSupport
import Testing

@testable import HotlineTransport

struct UpgradeExchangeTests {
  private static let key = "sk-test-0123456789abcdef"
  /// RFC 6455, 1.3 has this nonce and its answer.
  private static let nonce = Array("the sample nonce".utf8)
  private static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

  private static func exchange(
    subprotocol: String? = nil, limits: UpgradeLimits = UpgradeLimits()
  ) throws -> UpgradeExchange {
    var headers = [try UpgradeHeader("Authorization", "Bearer \(key)", isSecret: true)]
    if let subprotocol {
      headers.append(try UpgradeHeader("Sec-WebSocket-Protocol", subprotocol, isSecret: false))
    }
    let request = UpgradeRequest(
      try UpstreamAddress(url: "wss://h/"), headers: headers, nonce: nonce)
    return UpgradeExchange(request, redactor: SecretRedactor(headers: headers), limits: limits)
  }

  private static func head(_ fields: String..., status: String = "101 Switching Protocols")
    -> String
  {
    "HTTP/1.1 \(status)\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private static func good(_ more: String...) -> String {
    let lines = [
      "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Accept: \(accept)",
    ]
    return (lines + more).map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private static func failure(
    _ answer: String, subprotocol: String? = nil, limits: UpgradeLimits = UpgradeLimits()
  ) throws -> ConnectionFailure? {
    var exchange = try exchange(subprotocol: subprotocol, limits: limits)
    var input = ByteBuffer(string: answer)
    switch exchange.received(&input) {
    case .failed(let failure): return failure
    case .awaitingBody: return exchange.ended()
    case .incomplete, .accepted: return nil
    }
  }

  @Test func acceptKeyIsThatOfTheStandard() {
    #expect(UpgradeExchange.acceptKey("dGhlIHNhbXBsZSBub25jZQ==") == Self.accept)
    #expect(base64(Self.nonce) == "dGhlIHNhbXBsZSBub25jZQ==")
  }

  /// An empty field must not pass for a digest that is not there.
  @Test(arguments: ["", accept])
  func whereSHA1IsForbiddenNoAnswerIsAcceptedAndThatIsSaid(accept: String) async {
    await #expect(processExitsWith: .success) { [accept] in
      try OpenSSLPolicy.forbidAllDigests()
      #expect(UpgradeExchange.acceptKey("dGhlIHNhbXBsZSBub25jZQ==") == nil)
      let answer = Self.good().replacing(Self.accept, with: accept)
      let failure = try #require(try Self.failure(answer))
      #expect(failure.kind == .upgradeInvalid)
      #expect(failure.detail.contains("forbids SHA-1"), "\(failure)")
    }
  }

  @Test func requestHasAllThatTheStandardAsksFor() throws {
    let request = UpgradeRequest(
      try UpstreamAddress(url: "wss://api.example.com:8443/v1?x=1"),
      headers: [
        try UpgradeHeader("Authorization", "Bearer k", isSecret: true),
        try UpgradeHeader("OpenAI-Beta", "realtime=v1", isSecret: false),
      ], nonce: Self.nonce)
    #expect(
      String(buffer: request.bytes) == """
        GET /v1?x=1 HTTP/1.1\r
        Host: api.example.com:8443\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Version: 13\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Authorization: Bearer k\r
        OpenAI-Beta: realtime=v1\r
        \r\n
        """)
  }

  @Test func goodAnswerCutAtEveryByteIsAcceptedAndWhatFollowsIsLeft() throws {
    let answer = Self.good("Server: unit", "X-Request-Id: req_1") + "\u{1}\u{2}"
    for cut in 0...answer.utf8.count {
      var exchange = try Self.exchange()
      var first = ByteBuffer(bytes: answer.utf8.prefix(cut))
      var second = ByteBuffer(bytes: answer.utf8.dropFirst(cut))
      var progress = exchange.received(&first)
      if progress == .incomplete { progress = exchange.received(&second) }
      var facts = UpgradeFacts()
      facts.server = "unit"
      facts.headers = [.init(name: "x-request-id", value: "req_1")]
      #expect(progress == .accepted(facts))
      let left = first.readableBytes > 0 ? first : ByteBuffer()
      #expect(left.readableBytes + second.readableBytes == 2)
    }
  }

  @Test(arguments: [
    "HTTP/1.1 101\r\nupgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n"
      + "sec-websocket-accept:   \(accept)\t\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + good(),
    String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 4) + good(),
    good("Sec-WebSocket-Extensions:"),
  ])
  func answerInOtherWordsIsAccepted(_ answer: String) throws {
    #expect(try Self.failure(answer) == nil)
    var exchange = try Self.exchange()
    var input = ByteBuffer(string: answer)
    #expect(exchange.received(&input) == .accepted(UpgradeFacts()))
  }

  @Test(arguments: [
    (good().replacing("s3pP", with: "S3pP"), "Sec-WebSocket-Accept"),
    (good().replacing("Sec-WebSocket-Accept", with: "X"), "Sec-WebSocket-Accept"),
    (good("Sec-WebSocket-Accept: \(accept)"), "Sec-WebSocket-Accept"),
    (good().replacing(": websocket", with: ": h2c"), "Upgrade field"),
    (good().replacing("Connection: Upgrade", with: "Connection: close"), "Connection field"),
    (good("Sec-WebSocket-Extensions: permessage-deflate"), "extension"),
    (good("Sec-WebSocket-Protocol: chat"), "sub-protocol"),
    (good().replacing("HTTP/1.1", with: "HTTP/1.0"), "HTTP/1.0"),
    (String(repeating: "HTTP/1.1 100 C\r\n\r\n", count: 5) + good(), "more than 4 interim"),
    ("SSH-2.0-OpenSSH_9.2\r\n", "not HTTP/1.x: SSH-2.0-OpenSSH_9.2"),
    ("\u{15}\u{3}\u{1}", #"not HTTP/1.x: \x15\x03\x01"#),
    ("HTTP/2 101\r\n", "not HTTP/1.x"),
    ("hello \(key)", "hello ***"),
    ("HTTP/1.1 101 X\nUpgrade: websocket\n\n", "CRLF"),
    ("HTTP/1.1 101 X\r\rUpgrade", "CRLF"),
    ("HTTP/1.1 1O1 X\r\n\r\n", "status line"),
    ("HTTP/1.1 101X\r\n\r\n", "status line"),
    ("HTTP/1.1  101 X\r\n\r\n", "status line"),
    ("HTTP/1.1 099 X\r\n\r\n", "status line"),
    (good("X: a", " folded"), "folded"),
    (good("X: a", "\tfolded"), "folded"),
    (good("no colon"), "malformed header field"),
    (good(": empty"), "malformed header field"),
    (good("space : x"), "malformed header field"),
    (good("X: a\u{0}b"), "malformed header field"),
  ])
  func wrongAnswerIsRefusedWithItsReason(_ answer: String, _ reason: String) throws {
    let failure = try #require(try Self.failure(answer))
    #expect(failure.kind == .upgradeInvalid)
    #expect(failure.detail.contains(reason), "\(failure.detail)")
    #expect(!failure.detail.contains(Self.key))
  }

  @Test func offeredSubprotocolMayBeChosen() throws {
    var exchange = try Self.exchange(subprotocol: "a.v1, b.v2")
    var input = ByteBuffer(string: Self.good("Sec-WebSocket-Protocol: b.v2"))
    var facts = UpgradeFacts()
    facts.subprotocol = "b.v2"
    #expect(exchange.received(&input) == .accepted(facts))
    let other = try Self.failure(
      Self.good("Sec-WebSocket-Protocol: c"), subprotocol: "a.v1, b.v2")
    #expect(other?.kind == .upgradeInvalid)
  }

  @Test func headMayHaveTheLimitsAndNothingMore() throws {
    var limits = UpgradeLimits()
    limits.headBytesMax = Self.good().utf8.count
    #expect(try Self.failure(Self.good(), limits: limits) == nil)
    limits.headBytesMax -= 1
    #expect(try Self.failure(Self.good(), limits: limits)?.detail.contains("exceeds") == true)
    limits = UpgradeLimits()
    limits.fieldsMax = 3
    #expect(try Self.failure(Self.good(), limits: limits) == nil)
    limits.fieldsMax = 2
    #expect(
      try Self.failure(Self.good(), limits: limits)?.detail.contains("fields than") == true)
    let endless = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 16 << 10)
    #expect(try Self.failure(endless)?.detail.contains("exceeds") == true)
  }

  @Test func headersOfInterestAreKeptWithinBounds() throws {
    func headers(_ fields: [String]) throws -> [UpgradeFacts.Header] {
      var exchange = try Self.exchange()
      let more = fields.map { $0 + "\r\n" }.joined()
      var input = ByteBuffer(string: Self.good().dropLast() + more + "\r\n")
      guard case .accepted(let facts) = exchange.received(&input) else {
        Issue.record("not accepted: \(fields)")
        return []
      }
      return facts.headers
    }
    let kept = try headers([
      "X-Request-ID: req_1", "X-RateLimit-Remaining-Tokens: 7", "OpenAI-Model: m", "Set-Cookie: s",
      "OpenAI-Organization: \(Self.key)", "X-Request-Id: req_2",
      "X-Rate: 1",
    ])
    #expect(
      kept.map { "\($0.name)=\($0.value)" } == [
        "x-request-id=req_1", "x-ratelimit-remaining-tokens=7", "openai-model=m",
        "openai-organization=***",
      ])
    let long = try headers(["X-Request-Id: " + String(repeating: "x", count: 200)])
    #expect(long.map(\.value.utf8.count) == [UpgradeFacts.headerBytesMax])
    let many = try headers((1...20).map { "OpenAI-\($0): x" })
    #expect(many.count == UpgradeFacts.headersMax)
    #expect(many.last?.name == "openai-16")
    #expect(try headers(["OpenAI-" + String(repeating: "x", count: 122) + ": y"]) == [])
  }

  // MARK: Refusals

  @Test func refusalSaysWhereToWhenAgainAndWhichRequestItWas() throws {
    let answer = Self.head(
      "Location: https://other.example/\(Self.key)", "Retry-After: 7", "X-Request-Id: req_9",
      "Content-Length: 0", status: "307 Temporary Redirect")
    let failure = try #require(try Self.failure(answer))
    #expect(
      failure.detail == "the server refused the upgrade: 307 Temporary Redirect (a redirect to "
        + "https://other.example/***, which is not followed, retry after 7 s, request id req_9)")
    #expect(failure.status == 307)
    #expect(failure.retryAfter == .seconds(7))
  }

  @Test func refusalSaysStatusReasonAndBody() throws {
    let answer = Self.head("Content-Length: 12", status: "401 Unauthorized") + "wrong key\r\n!rest"
    #expect(
      try Self.failure(answer)
        == ConnectionFailure(
          .upgradeRefused,
          #"the server refused the upgrade: 401 Unauthorized: wrong key\x0D\x0A!"#, status: 401))
  }

  @Test(arguments: [204, 304])
  func whatFollowsAnAnswerThatHasNoBodyIsNotShown(status: Int) throws {
    let failure = try Self.failure(Self.head(status: "\(status) N") + "of something else")
    #expect(failure?.detail == "the server refused the upgrade: \(status) N")
  }

  @Test func keyInABodyCutAtEveryOffsetIsNeverShown() throws {
    let text = #"{"error":"bad key \#(Self.key)","header":"Bearer \#(Self.key)"}"#
    let answer = Self.head("Content-Length: \(text.utf8.count)", status: "403 Forbidden") + text
    for cut in 0...answer.utf8.count {
      var exchange = try Self.exchange()
      var first = ByteBuffer(bytes: answer.utf8.prefix(cut))
      var second = ByteBuffer(bytes: answer.utf8.dropFirst(cut))
      var progress = exchange.received(&first)
      if cut < answer.utf8.count {
        var beginning = exchange
        expectNoKey(beginning.ended()?.detail ?? "")
        progress = exchange.received(&second)
      }
      guard case .failed(let failure) = progress else {
        Issue.record("\(progress)")
        continue
      }
      #expect(failure.detail.hasSuffix(#"{"error":"bad key ***","header":"Bearer ***"}"#))
    }
  }

  @Test func keyAcrossTheEndOfTheKilobyteIsNeverShown() throws {
    for before in 980...1030 {
      let text = String(repeating: ".", count: before) + Self.key + "and more"
      let answer = Self.head(status: "401 No") + text
      var exchange = try Self.exchange()
      var input = ByteBuffer(string: answer)
      _ = exchange.received(&input)
      let detail = exchange.ended()?.detail ?? ""
      expectNoKey(detail)
    }
  }

  @Test func bodyIsReadToTheLimitAndTheLongestSecret() throws {
    var exchange = try Self.exchange()
    let wanted = 1024 + Self.key.utf8.count
    var input = ByteBuffer(string: Self.head(status: "500 Oops"))
    input.writeString(String(repeating: "x", count: wanted - 1))
    #expect(exchange.received(&input) == .awaitingBody)
    input.writeString("x")
    guard case .failed(let failure) = exchange.received(&input) else {
      Issue.record("still waiting")
      return
    }
    #expect(failure.detail.hasSuffix(": " + String(repeating: "x", count: 1024)))
  }

  @Test func keyInReasonAndLocationIsStruckOutAndRedirectsAreNamed() throws {
    let answer = Self.head(
      "Location: https://evil.example/?k=\(Self.key)", "Content-Length: 0",
      status: "302 Found \(Self.key)")
    let failure = try #require(try Self.failure(answer))
    #expect(failure.status == 302)
    #expect(
      failure.detail
        == "the server refused the upgrade: 302 Found *** "
        + "(a redirect to https://evil.example/?k=***, which is not followed)")
  }

  @Test(
    arguments: [
      (["Retry-After: 7"], Duration.seconds(7)), (["Retry-After: 0"], .zero),
      (["Retry-After: -1"], nil), (["Retry-After: soon"], nil), (["Retry-After: 1.5"], nil),
      (["Retry-After: 99999999999"], nil), (["Retry-After: 1", "Retry-After: 2"], nil),
      (
        ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:50:40 GMT"],
        .seconds(63)
      ),
      (
        ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sat, 05 Nov 1994 00:00:00 GMT"], .zero
      ),
      (["Retry-After: Sun, 06 Nov 1994 08:50:40 GMT"], nil),
    ] as [([String], Duration?)])
  func retryAfterIsSecondsOrADate(_ fields: [String], _ expected: Duration?) throws {
    let lines = fields.map { $0 + "\r\n" }.joined()
    let answer = "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\(lines)\r\n"
    #expect(try Self.failure(answer)?.retryAfter == expected)
  }

  @Test func chunkedBodyIsShownWithoutItsChunks() throws {
    let half = Self.key.utf8.count / 2
    let (a, b) = (Self.key.prefix(half), Self.key.dropFirst(half))
    let body =
      "C\r\nno such key \r\nc;x=y\r\n\(a)\r\n\(String(b.utf8.count, radix: 16))\r\n\(b)\r\n"
    let head = Self.head("Transfer-Encoding: chunked", status: "401 No")
    var exchange = try Self.exchange()
    var input = ByteBuffer(string: head + body + "0\r\n\r\n")
    guard case .failed(let failure) = exchange.received(&input) else {
      Issue.record("still waiting")
      return
    }
    #expect(failure.detail == "the server refused the upgrade: 401 No: no such key ***")
    #expect(try Self.failure(head + "no chunk\r\n")?.detail.hasSuffix("no chunk") == true)
  }

  @Test(arguments: 1...300 as ClosedRange<UInt64>)
  func mangledAnswersNeverCrashAndPiecesChangeNothing(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let refusal =
      Self.head("Transfer-Encoding: chunked", status: "429 No") + "5\r\nhello\r\n0\r\n\r\n"
    var bytes = Array((Bool.random(using: &random) ? Self.good("Server: x") : refusal).utf8)
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      let index = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes.remove(at: index)
      default: bytes.insert([0x0D, 0x0A, 0x20, 0x3A].randomElement(using: &random) ?? 0, at: index)
      }
    }
    func outcome(_ piece: Int) throws -> [UpgradeExchange.Progress] {
      var exchange = try Self.exchange()
      var last = UpgradeExchange.Progress.incomplete
      for start in stride(from: 0, to: bytes.count, by: piece) {
        var input = ByteBuffer(bytes: bytes[start..<min(start + piece, bytes.count)])
        last = exchange.received(&input)
        if case .failed = last { break }
        if case .accepted = last { break }
      }
      return [last] + (exchange.ended().map { [.failed($0)] } ?? [])
    }
    let whole = try outcome(.max / 2)
    // What is not HTTP is shown as far as one read had it.
    if case .failed(let failure)? = whole.first, failure.detail.contains("not HTTP") { return }
    #expect(try outcome(1) == whole)
  }

  private func expectNoKey(_ text: String) {
    for start in Self.key.indices {
      let piece = Self.key[start...].prefix(4)
      #expect(piece.count < 4 || !text.contains(piece), "\(text)")
    }
  }
}

struct UpgradeHeaderTests {
  @Test(arguments: [
    ("", "x"), ("a b", "x"), ("a:", "x"), ("é", "x"), ("a", "x\r\nY: z"), ("a", "x\n"),
    ("a", "\u{0}"), ("a", " x"), ("a", "x "), ("Host", "x"), ("UPGRADE", "x"),
    ("Sec-WebSocket-Key", "x"), ("Content-Length", "1"),
  ])
  func headerThatCannotBeSentIsRefusedWithoutItsValue(_ name: String, _ value: String) {
    #expect(throws: UpgradeHeader.Invalid.self) {
      try UpgradeHeader(name, value, isSecret: false)
    }
  }

  @Test func reasonNamesTheHeaderAndNeverItsValue() {
    do {
      _ = try UpgradeHeader("api-key", "hush\n", isSecret: true)
      Issue.record("taken")
    } catch {
      #expect(error.description.contains("api-key"))
      #expect(!error.description.contains("hush"))
    }
  }
}
