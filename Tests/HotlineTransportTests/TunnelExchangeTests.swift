import NIOCore
import Testing

@testable import HotlineTransport

struct TunnelExchangeTests {
  private static let secrets = SecretRedactor([Array("hunter2-the-password".utf8)])

  private func credentials(_ kind: String = "http") throws -> ProxyCredentials {
    let proxy = try ProxyAddress(url: "\(kind)://ann:hunter2-the-password@h:1")
    return try #require(proxy.credentials)
  }

  /// What comes of an answer, fed in pieces, with what is left of it.
  private func progress(
    of exchange: any TunnelExchange, _ answer: [UInt8], pieceBytes: Int = 1
  ) -> (progress: TunnelProgress, sent: [ByteBuffer], left: [UInt8]) {
    var exchange = exchange
    var sent = [exchange.begun()]
    var rest = answer[...]
    var last = TunnelProgress.incomplete
    while !rest.isEmpty {
      var input = ByteBuffer(bytes: rest.prefix(pieceBytes))
      rest = rest.dropFirst(pieceBytes)
      loop: while true {
        last = exchange.received(&input)
        switch last {
        case .send(let bytes): sent.append(bytes)
        case .open: return (last, sent, Array(input.readableBytesView) + rest)
        case .failed: return (last, sent, [])
        case .incomplete, .awaitingBody: break loop
        }
      }
    }
    if let failure = exchange.ended() { return (.failed(failure), sent, []) }
    return (last, sent, [])
  }

  // MARK: CONNECT

  private func connect(_ credentials: ProxyCredentials? = nil) -> ProxyConnect {
    ProxyConnect(
      to: "api.example:443", credentials: credentials, redactor: Self.secrets,
      limits: UpgradeLimits())
  }

  @Test func theRequestHasTheTargetAndTheCredentials() throws {
    #expect(
      String(buffer: connect().begun())
        == "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    let credentials = try credentials()
    #expect(
      String(buffer: connect(credentials).begun())
        .contains("\r\nProxy-Authorization: Basic \(credentials.basic)\r\n\r\n"))
  }

  @Test(
    arguments: [1, 2, 7, 1000],
    [
      "HTTP/1.1 200 Connection established\r\n\r\n",
      "HTTP/1.0 200\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Fine\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
  func aTunnelBeginsRightBehindTheHead(pieceBytes: Int, head: String) {
    let result = progress(
      of: connect(), Array((head + "tunnel").utf8), pieceBytes: pieceBytes)
    #expect(result.progress == .open)
    #expect(result.left == Array("tunnel".utf8))
  }

  struct Refusal: Sendable {
    var answer: String
    var kind: TunnelFailure.Kind
    var words: [String]
    var hasCredentials = false
  }

  @Test(arguments: [
    Refusal(
      answer: "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic "
        + "realm=\"x\"\r\nContent-Length: 0\r\n\r\n", kind: .refused,
      words: ["wants a user and a password", "407", "http://USER:PASSWORD@HOST:PORT"]),
    Refusal(
      answer: "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"
        + "hunter2-the-password is wrong", kind: .refused,
      words: ["does not take the user and the password", "407 No", "*** is wrong"],
      hasCredentials: true),
    Refusal(
      answer: "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate, NTLM\r\n"
        + "Proxy-Authenticate: NTLM\r\n\r\n", kind: .refused,
      words: ["authentication by Negotiate, NTLM", "only Basic"]),
    Refusal(
      answer: "HTTP/1.1 403 Filtered\r\nContent-Length: 4\r\n\r\nrule", kind: .refused,
      words: ["refused a tunnel to api.example:443", "403 Filtered: rule"]),
    Refusal(
      answer: "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n", kind: .refused,
      words: ["a redirect to http://login.example/, which is not followed"]),
    Refusal(
      answer: "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n", kind: .failed,
      words: ["could not open a tunnel to api.example:443", "503 Busy (retry after 7 s)"]),
    Refusal(
      answer: "SSH-2.0-x\r\n", kind: .failed, words: ["gave an answer that is not HTTP/1.x"]),
    Refusal(
      answer: "HTTP/1.1 101 Switching\r\n\r\n", kind: .failed, words: ["too many interim"]),
  ])
  func aRefusalSaysWhy(refusal: Refusal) throws {
    let own = refusal.hasCredentials ? try credentials() : nil
    let result = progress(of: connect(own), Array(refusal.answer.utf8))
    guard case .failed(let failure) = result.progress else {
      Issue.record("\(result.progress)")
      return
    }
    #expect(failure.kind == refusal.kind)
    for words in refusal.words {
      #expect(failure.detail.contains(words), "\(failure.detail)")
    }
    #expect(!failure.detail.contains("hunter2"))
  }

  @Test func aBodyThatDoesNotEndIsCutAndNotWaitedForLong() {
    var exchange = connect()
    var input = ByteBuffer(string: "HTTP/1.1 403 No\r\n\r\nbecause")
    #expect(exchange.received(&input) == .awaitingBody)
    #expect(exchange.ended()?.detail.contains("because") == true)
    #expect(exchange.ended() == nil)
    let long = "HTTP/1.1 403 No\r\n\r\n" + String(repeating: "x", count: 10_000)
    guard case .failed(let failure) = progress(of: connect(), Array(long.utf8)).progress else {
      Issue.record("not refused")
      return
    }
    #expect(failure.detail.utf8.count < 1200)
  }

  // MARK: SOCKS

  private func socks(
    _ target: ProxySOCKS.Target = .name("api.example"), hasCredentials: Bool = false
  ) throws -> ProxySOCKS {
    ProxySOCKS(to: target, port: 443, credentials: hasCredentials ? try credentials("socks5") : nil)
  }

  @Test(arguments: [1, 3, 1000])
  func aNameIsSentToTheProxy(pieceBytes: Int) throws {
    let reply: [UInt8] = [5, 0, 5, 0, 0, 1, 127, 0, 0, 1, 0, 80, 0x16, 3]
    let result = progress(of: try socks(), reply, pieceBytes: pieceBytes)
    #expect(result.progress == .open)
    #expect(result.left == [0x16, 3])
    #expect(
      result.sent.map { Array($0.readableBytesView) } == [
        [5, 1, 0], [5, 1, 0, 3, 11] + Array("api.example".utf8) + [1, 0xBB],
      ])
  }

  @Test func addressesOfBothFamiliesAreSentAsBytes() throws {
    let ipv4 = try socks(.address([127, 0, 0, 1], text: "127.0.0.1"))
    let ipv6 = try socks(.address(Array(repeating: 7, count: 16), text: "707::"))
    let reply: [UInt8] = [5, 0, 5, 0, 0, 4] + Array(repeating: 0, count: 18)
    #expect(
      Array(progress(of: ipv4, reply).sent[1].readableBytesView) == [
        5, 1, 0, 1, 127, 0, 0, 1, 1, 0xBB,
      ])
    #expect(
      Array(progress(of: ipv6, reply).sent[1].readableBytesView)
        == [5, 1, 0, 4] + Array(repeating: 7, count: 16) + [1, 0xBB])
  }

  @Test func userAndPasswordAreSentWhereTheProxyAsks() throws {
    let reply: [UInt8] = [5, 2, 1, 0, 5, 0, 0, 3, 2, 0x61, 0x62, 0, 80]
    let result = progress(of: try socks(hasCredentials: true), reply)
    #expect(result.progress == .open)
    #expect(result.sent.count == 3)
    #expect(Array(result.sent[0].readableBytesView) == [5, 2, 0, 2])
    #expect(
      Array(result.sent[1].readableBytesView)
        == [1, 3] + Array("ann".utf8) + [20] + Array("hunter2-the-password".utf8))
  }

  @Test(
    arguments: [
      ([5, 0xFF], false, TunnelFailure.Kind.refused, "wants authentication"),
      ([5, 0xFF], true, .refused, "takes neither"),
      ([5, 2, 1, 1], true, .refused, "does not take the user and the password"),
      ([5, 2], false, .failed, "not offered"),
      ([5, 1], true, .failed, "not offered"),
      ([0x48, 0x54], false, .failed, "does not speak SOCKS version 5"),
      ([5, 0, 5, 2, 0, 1, 0], false, .refused, "to api.example:443: its rules do not allow that"),
      ([5, 0, 5, 5, 0, 1, 0], false, .unreachable, "connection refused"),
      ([5, 0, 5, 4, 0, 1, 0], false, .unreachable, "host unreachable"),
      ([5, 0, 5, 99, 0, 1, 0], false, .failed, "reply 99"),
      ([5, 0, 5, 0, 0, 9, 0], false, .failed, "unknown kind of address"),
      ([5, 0, 4, 0, 0, 1, 0], false, .failed, "not SOCKS version 5"),
    ] as [([UInt8], Bool, TunnelFailure.Kind, String)])
  func aSOCKSRefusalSaysWhy(
    answer: [UInt8], hasCredentials: Bool, kind: TunnelFailure.Kind, words: String
  ) throws {
    let result = progress(of: try socks(hasCredentials: hasCredentials), answer)
    guard case .failed(let failure) = result.progress else {
      Issue.record("\(result.progress)")
      return
    }
    #expect(failure.kind == kind)
    #expect(failure.detail.contains(words), "\(failure.detail)")
    #expect(!failure.detail.contains("hunter2"))
  }
}
