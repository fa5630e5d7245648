import NIOCore

/// Asks a SOCKS proxy for a tunnel: version 5 (RFC 1928), with user and password (RFC 1929).
package struct ProxySOCKS: TunnelExchange {
  /// What the proxy is to connect to.
  package enum Target: Hashable {
    /// Looked up by the proxy; at most 255 bytes.
    case name(String)
    /// 4 or 16 bytes, and how they are written.
    case address([UInt8], text: String)
  }

  private enum State {
    /// Next: `.authentication` or `.reply`.
    case method
    /// Next: `.reply`.
    case authentication
    /// Next: `.done`.
    case reply
    case done
  }

  private let target: Target
  private let port: Int
  private let credentials: ProxyCredentials?
  private var state = State.method
  private var held = ByteBuffer()

  package init(to target: Target, port: Int, credentials: ProxyCredentials?) {
    self.target = target
    self.port = port
    self.credentials = credentials
  }

  /// Without credentials no method but "none" is offered, and with them either.
  package func begun() -> ByteBuffer {
    ByteBuffer(bytes: credentials == nil ? [5, 1, 0] : [5, 2, 0, 2])
  }

  package mutating func ended() -> TunnelFailure? { nil }

  package mutating func received(_ input: inout ByteBuffer) -> TunnelProgress {
    switch state {
    case .method: return methodReceived(&input)
    case .authentication: return authenticationReceived(&input)
    case .reply: return replyReceived(&input)
    case .done: return .incomplete
    }
  }

  // MARK: Steps

  private mutating func methodReceived(_ input: inout ByteBuffer) -> TunnelProgress {
    guard let bytes = take(2, &input) else { return .incomplete }
    guard bytes[0] == 5 else { return fail(.failed, "does not speak SOCKS version 5 on this port") }
    switch (bytes[1], credentials) {
    case (0, _):
      state = .reply
      return .send(request)
    case (2, let credentials?):
      state = .authentication
      var out = ByteBuffer(bytes: [1, UInt8(credentials.user.count)])
      out.writeBytes(credentials.user)
      out.writeInteger(UInt8(credentials.password.count))
      out.writeBytes(credentials.password)
      return .send(out)
    case (0xFF, nil):
      return fail(
        .refused,
        "wants authentication, and its URL has no user and password "
          + "(socks5://USER:PASSWORD@HOST:PORT)")
    case (0xFF, _):
      return fail(.refused, "takes neither a user and a password nor nobody at all")
    default:
      return fail(.failed, "chose an authentication that was not offered (\(bytes[1]))")
    }
  }

  private mutating func authenticationReceived(_ input: inout ByteBuffer) -> TunnelProgress {
    guard let bytes = take(2, &input) else { return .incomplete }
    guard bytes[1] == 0 else {
      return fail(.refused, "does not take the user and the password in its URL")
    }
    state = .reply
    return .send(request)
  }

  private var request: ByteBuffer {
    var out = ByteBuffer(bytes: [5, 1, 0])
    switch target {
    case .name(let name):
      out.writeBytes([3, UInt8(name.utf8.count)])
      out.writeString(name)
    case .address(let bytes, _):
      out.writeInteger(UInt8(bytes.count == 4 ? 1 : 4))
      out.writeBytes(bytes)
    }
    out.writeInteger(UInt16(port))
    return out
  }

  /// The address in it is of no interest, but tells where the tunnel begins.
  private mutating func replyReceived(_ input: inout ByteBuffer) -> TunnelProgress {
    guard let head = peek(5, &input) else { return .incomplete }
    guard head[0] == 5 else { return fail(.failed, "gave an answer that is not SOCKS version 5") }
    guard head[1] == 0 else {
      return fail(Self.kind(head[1]), "\(refusal): \(Self.words(head[1]))")
    }
    let addressBytes: Int
    switch head[3] {
    case 1: addressBytes = 4
    case 3: addressBytes = 1 + Int(head[4])
    case 4: addressBytes = 16
    default: return fail(.failed, "gave an answer with an unknown kind of address (\(head[3]))")
    }
    guard take(4 + addressBytes + 2, &input) != nil else { return .incomplete }
    // What was held belongs to the tunnel now.
    var rest = held
    rest.writeBuffer(&input)
    input = rest
    state = .done
    return .open
  }

  private var refusal: String {
    let host =
      switch target {
      case .name(let name): name
      case .address(_, let text): text.utf8.contains(0x3A) ? "[\(text)]" : text
      }
    return "could not open a tunnel to \(host):\(port)"
  }

  private mutating func fail(_ kind: TunnelFailure.Kind, _ detail: String) -> TunnelProgress {
    state = .done
    return .failed(TunnelFailure(kind, detail))
  }

  // MARK: Bytes

  private mutating func peek(_ count: Int, _ input: inout ByteBuffer) -> [UInt8]? {
    held.writeBuffer(&input)
    return held.getBytes(at: held.readerIndex, length: count)
  }

  private mutating func take(_ count: Int, _ input: inout ByteBuffer) -> [UInt8]? {
    guard let bytes = peek(count, &input) else { return nil }
    held.moveReaderIndex(forwardBy: count)
    return bytes
  }

  // MARK: Replies (RFC 1928, 6)

  private static func kind(_ reply: UInt8) -> TunnelFailure.Kind {
    switch reply {
    case 2, 7: .refused
    case 1, 3, 4, 5, 6, 8: .unreachable
    default: .failed
    }
  }

  private static func words(_ reply: UInt8) -> String {
    switch reply {
    case 1: "general failure"
    case 2: "its rules do not allow that"
    case 3: "network unreachable"
    case 4: "host unreachable"
    case 5: "connection refused"
    case 6: "TTL expired"
    case 7: "it does not know the command"
    case 8: "it does not know this kind of address"
    default: "reply \(reply)"
    }
  }
}
