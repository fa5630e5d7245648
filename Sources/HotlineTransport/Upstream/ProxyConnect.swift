import NIOCore

/// Asks an HTTP proxy for a tunnel: CONNECT (RFC 9110, 9.3.6), with Basic authentication (RFC
/// 7617).
package struct ProxyConnect: TunnelExchange {
  private let target: String
  private let credentials: ProxyCredentials?
  private let redactor: SecretRedactor
  private var answer: HTTPAnswer

  /// - Parameter target: `HOST:PORT`, an IPv6 address in brackets.
  package init(
    to target: String, credentials: ProxyCredentials?, redactor: SecretRedactor,
    limits: UpgradeLimits
  ) {
    self.target = target
    self.credentials = credentials
    self.redactor = redactor
    answer = HTTPAnswer(accepted: 200...299, redactor: redactor, limits: limits)
  }

  package func begun() -> ByteBuffer {
    var out = ByteBuffer(string: "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n")
    if let credentials { out.writeString("Proxy-Authorization: Basic \(credentials.basic)\r\n") }
    out.writeString("\r\n")
    return out
  }

  package mutating func received(_ input: inout ByteBuffer) -> TunnelProgress {
    switch answer.received(&input) {
    case .incomplete: .incomplete
    case .awaitingBody: .awaitingBody
    // Whatever it says of a body, what follows is the tunnel.
    case .accepted: .open
    case .refused(let head, let refusal): .failed(failure(head, refusal))
    case .tooManyInterim: .failed(TunnelFailure(.failed, "gave too many interim answers (1xx)"))
    case .malformed(let error, _):
      .failed(TunnelFailure(.failed, "gave an answer that \(error.rawValue)"))
    }
  }

  package mutating func ended() -> TunnelFailure? {
    answer.ended().map { head, refusal in failure(head, refusal) }
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
