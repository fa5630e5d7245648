import NIOCore

/// Asks an HTTP proxy for a tunnel: CONNECT (RFC 9110, 9.3.6), with Basic authentication (RFC
/// 7617).
struct ProxyConnect: TunnelExchange {
  private enum State {
    /// Next: `.body` on a refusal; `.done`.
    case head(HTTPHeadReader, interim: Int)
    /// Next: `.done` when enough of the body is there.
    case body(HTTPHead, UpgradeRefusal)
    case done
  }

  private let target: String
  private let credentials: ProxyCredentials?
  private let redactor: SecretRedactor
  private let limits: UpgradeLimits
  private var state: State

  /// - Parameter target: `HOST:PORT`, an IPv6 address in brackets.
  init(
    to target: String, credentials: ProxyCredentials?, redactor: SecretRedactor,
    limits: UpgradeLimits
  ) {
    self.target = target
    self.credentials = credentials
    self.redactor = redactor
    self.limits = limits
    state = .head(Self.reader(limits), interim: 0)
  }

  private static func reader(_ limits: UpgradeLimits) -> HTTPHeadReader {
    HTTPHeadReader(headBytesMax: limits.headBytesMax, fieldsMax: limits.fieldsMax)
  }

  func begun() -> ByteBuffer {
    var out = ByteBuffer(string: "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n")
    if let credentials { out.writeString("Proxy-Authorization: Basic \(credentials.basic)\r\n") }
    out.writeString("\r\n")
    return out
  }

  mutating func received(_ input: inout ByteBuffer) -> TunnelProgress {
    while true {
      switch state {
      case .head(var reader, let interim):
        do throws(HTTPHeadError) {
          guard let head = try reader.read(&input) else {
            state = .head(reader, interim: interim)
            return .incomplete
          }
          if let progress = headReceived(head, interim: interim) { return progress }
        } catch {
          state = .done
          return .failed(TunnelFailure(.failed, "gave an answer that \(error.rawValue)"))
        }
      case .body(let head, var refusal):
        refusal.received(&input)
        state = .body(head, refusal)
        guard refusal.isComplete else { return .awaitingBody }
        state = .done
        return .failed(failure(head, refusal))
      case .done:
        return .incomplete
      }
    }
  }

  mutating func ended() -> TunnelFailure? {
    guard case .body(let head, let refusal) = state else { return nil }
    state = .done
    return failure(head, refusal)
  }

  /// `nil`: go on reading.
  private mutating func headReceived(_ head: HTTPHead, interim: Int) -> TunnelProgress? {
    switch head.status {
    case 200..<300:
      // Whatever it says of a body, what follows is the tunnel.
      state = .done
      return .open
    case 100..<200:
      guard interim < limits.interimMax, head.status != 101 else {
        state = .done
        return .failed(TunnelFailure(.failed, "gave too many interim answers (1xx)"))
      }
      state = .head(Self.reader(limits), interim: interim + 1)
      return nil
    default:
      state = .body(
        head, UpgradeRefusal(head, redactor: redactor, bodyBytesMax: limits.bodyBytesMax))
      return nil
    }
  }

  private func failure(_ head: HTTPHead, _ refusal: UpgradeRefusal) -> TunnelFailure {
    let said = refusal.text
    switch head.status {
    // 401 is a server's, but tinyproxy says it where the credentials are wrong.
    case 401, 407:
      return TunnelFailure(.refused, "\(authenticationProblem(head)): \(said)")
    case 408, 425, 429, 500...:
      return TunnelFailure(
        .failed, "could not open a tunnel to \(target): \(said)", retryAfter: refusal.retryAfter)
    default:
      return TunnelFailure(.refused, "refused a tunnel to \(target): \(said)")
    }
  }

  private func authenticationProblem(_ head: HTTPHead) -> String {
    // RFC 9110, 11.7.1: a list of challenges, each of which begins with its scheme.
    let schemes = head.values("proxy-authenticate").compactMap { value in
      value.split { $0 == 0x20 || $0 == 0x2C }.first.map { redactor.show($0, bytesMax: 32) }
    }
    let knowsBasic = schemes.isEmpty || schemes.contains { $0.lowercased() == "basic" }
    guard knowsBasic else {
      return "wants authentication by \(schemes.prefix(4).joined(separator: ", ")), and only Basic "
        + "can be done here"
    }
    return credentials == nil
      ? "wants a user and a password, which its URL does not have (http://USER:PASSWORD@HOST:PORT)"
      : "does not take the user and the password in its URL"
  }
}
