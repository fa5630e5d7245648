import HotlineTransport
import NIOCore

extension FuzzTarget {
  /// The first byte chooses the proxy and what it is asked for, the rest is what it answers.
  func checkProxy(_ input: [UInt8]) throws(BrokenProperty) {
    guard let first = input.first else { return }
    let wish = try Wish(first)
    let answer = input.dropFirst()
    let whole = try asked(wish, [answer])
    var chance = InputChance(input)
    for pieces in chance.cuts(answer) {
      let split = try asked(wish, pieces)
      try hold(split == whole, "in \(pieces.count) pieces \(split), else \(whole)")
    }
    guard wish.isSOCKS else {
      try hold(whole.sent.count == 1, "more than one request: \(whole)")
      return
    }
    var kind = whole
    kind.failure = whole.failure.map { TunnelFailure($0.kind, "") }
    let expected = Reply(wish, Array(answer)).expected
    try hold(kind == expected, "\(whole) instead of \(expected)")
  }

  /// What is asked of which proxy.
  fileprivate struct Wish {
    let isSOCKS: Bool
    let credentials: ProxyCredentials?
    let target: ProxySOCKS.Target
    /// The target as RFC 1928, 5 has it.
    let targetBytes: [UInt8]

    init(_ byte: UInt8) throws(BrokenProperty) {
      isSOCKS = byte & 1 != 0
      let userInfo = byte & 2 != 0 ? "ann:\(FuzzTarget.secret)@" : ""
      let url = (isSOCKS ? "socks5" : "http") + "://\(userInfo)proxy.example"
      do {
        credentials = try ProxyAddress(url: url).credentials
      } catch {
        throw BrokenProperty(description: "no proxy: \(error)")
      }
      switch byte >> 2 & 3 {
      case 0:
        let address: [UInt8] = [192, 0, 2, 1]
        (target, targetBytes) = (.address(address, text: "192.0.2.1"), [1] + address)
      case 1:
        let address: [UInt8] = [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
        (target, targetBytes) = (.address(address, text: "2001:db8::1"), [4] + address)
      default:
        (target, targetBytes) = (.name("api.example"), [3, 11] + Array("api.example".utf8))
      }
    }

    var exchange: any TunnelExchange {
      if isSOCKS { return ProxySOCKS(to: target, port: 443, credentials: credentials) }
      // The server's key is among them too, though a proxy does not get it.
      let secrets =
        [Array(FuzzTarget.secret.utf8)] + (credentials.map { [Array($0.basic.utf8)] } ?? [])
      return ProxyConnect(
        to: "api.example:443", credentials: credentials, redactor: SecretRedactor(secrets),
        limits: UpgradeLimits())
    }
  }

  /// What came of it.
  fileprivate struct Asked: Equatable {
    var sent: [[UInt8]]
    var failure: TunnelFailure?
    /// Bytes that belong to the tunnel; `nil` unless there is one.
    var left: Int?
  }

  private func asked(
    _ wish: Wish, _ pieces: [ArraySlice<UInt8>]
  ) throws(BrokenProperty) -> Asked {
    var exchange = wish.exchange
    var result = Asked(sent: [Array(exchange.begun().readableBytesView)])
    for (index, piece) in pieces.enumerated() {
      var input = ByteBuffer(bytes: piece)
      var isWaiting = false
      while !isWaiting, result.failure == nil, result.left == nil {
        switch exchange.received(&input) {
        case .incomplete, .awaitingBody: isWaiting = true
        case .send(let bytes): result.sent.append(Array(bytes.readableBytesView))
        case .failed(let failure): result.failure = failure
        case .open:
          result.left = input.readableBytes + pieces[(index + 1)...].reduce(0) { $0 + $1.count }
        }
        try hold(result.sent.count <= 3, "it is asked again and again")
      }
    }
    if result.left == nil, result.failure == nil { result.failure = exchange.ended() }
    if let failure = result.failure {
      try checkShown([failure.detail], bytesMax: 8 << 10)
      let isShown = wish.credentials.map { failure.detail.contains($0.basic) } ?? false
      try hold(!isShown, "the credentials are shown: \(failure.detail)")
      try hold(failure.retryAfter ?? .zero >= .zero, "\(failure)")
    }
    return result
  }
}

/// A SOCKS proxy's answers, read by the tables of RFC 1928 and RFC 1929 once more.
private struct Reply {
  private let wish: FuzzTarget.Wish
  private let bytes: [UInt8]

  init(_ wish: FuzzTarget.Wish, _ bytes: [UInt8]) {
    self.wish = wish
    self.bytes = bytes
  }

  var expected: FuzzTarget.Asked {
    var result = FuzzTarget.Asked(sent: [wish.credentials == nil ? [5, 1, 0] : [5, 2, 0, 2]])
    guard bytes.count >= 2 else { return result }
    var rest = bytes[2...]
    switch (bytes[0], bytes[1], wish.credentials) {
    case (5, 0, _): break
    case (5, 2, let credentials?):
      let (user, password) = (credentials.user, credentials.password)
      result.sent.append([1, UInt8(user.count)] + user + [UInt8(password.count)] + password)
      guard rest.count >= 2 else { return result }
      guard bytes[3] == 0 else {
        result.failure = TunnelFailure(.refused, "")
        return result
      }
      rest = bytes[4...]
    default:
      result.failure = TunnelFailure(bytes[0] == 5 && bytes[1] == 0xFF ? .refused : .failed, "")
      return result
    }
    result.sent.append([5, 1, 0] + wish.targetBytes + [1, 0xBB])
    return tunnel(Array(rest), result)
  }

  /// VER REP RSV ATYP BND.ADDR BND.PORT; with a byte of the address the kind of it is judged.
  private func tunnel(_ reply: [UInt8], _ before: FuzzTarget.Asked) -> FuzzTarget.Asked {
    var result = before
    guard reply.count >= 5 else { return result }
    let sizes: [UInt8: Int] = [1: 4, 3: 1 + Int(reply[4]), 4: 16]
    if reply[0] != 5 {
      result.failure = TunnelFailure(.failed, "")
    } else if reply[1] != 0 {
      let isRule = reply[1] == 2 || reply[1] == 7
      result.failure = TunnelFailure(isRule ? .refused : reply[1] < 9 ? .unreachable : .failed, "")
    } else if let size = sizes[reply[3]] {
      let end = 4 + size + 2
      if reply.count >= end { result.left = reply.count - end }
    } else {
      result.failure = TunnelFailure(.failed, "")
    }
    return result
  }
}
