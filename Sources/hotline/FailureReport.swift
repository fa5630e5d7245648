import HotlineWire

/// One error as the daemon or the server told it: what to say and how to end.
struct FailureReport: Hashable {
  var code: String
  var message: String
  /// The daemon speaks for itself; else it passes on what the server said.
  var isDaemons = false
  /// A `hotline.done` follows.
  var isAccepted = true
  var isRetryable = false
  /// Whether the server acted on the request is not known.
  var isSentUnknown = false
  /// The HTTP status that the server gave or that goes with its error.
  var status: Int?

  init(code: String, message: String) {
    self.code = code
    self.message = message
  }

  /// An `error` line of either shape: members nested in `error`, or beside `type`.
  init(errorLine line: JSONView) {
    let error = line["error"]
    self.init(error: error?.kind == .object ? error : line)
    let hotline = line["hotline"]
    isDaemons = hotline != nil
    isAccepted = hotline?["accepted"]?.boolean ?? true
    isRetryable = hotline?["retryable"]?.boolean ?? false
    isSentUnknown = hotline?["sent"]?.string == "unknown"
    status = (hotline?["status"] ?? line["status"] ?? line["status_code"])?.integer
  }

  /// The `error` object of a response that failed.
  init(responseError error: JSONView?) {
    self.init(error: error)
  }

  private init(error: JSONView?) {
    let message = error?["message"]?.string ?? ""
    let code = error?["code"]?.string ?? error?["type"]?.string
    self.init(
      code: code ?? "error", message: message.isEmpty ? "no reason was given" : message)
  }

  var exitStatus: ExitStatus {
    switch code {
    case "not_allowed": return .notAllowed
    case "upstream_auth", "upstream_rejected", "unknown_upstream", "not_configured":
      return .configuration
    default: break
    }
    guard !isDaemons else { return isRetryable ? .retryLater : .failed }
    switch code {
    case "invalid_api_key": return .configuration
    case "insufficient_quota": return .failed
    case "rate_limit_exceeded", "server_is_overloaded", "slow_down": return .retryLater
    default: break
    }
    switch status {
    case 401: return .configuration
    case 429, 503: return .retryLater
    default: return .failed
    }
  }

  /// For standard error: code, message, remedy.
  var sentence: String {
    var message = message[...]
    while let last = message.last, last == "." || last.isWhitespace { message.removeLast() }
    return
      "\(code): \(isDaemons ? "" : "the server says: ")\(message)\(remedy.map { "; \($0)" } ?? "")"
  }

  private var remedy: String? {
    if isRetryable, isSentUnknown {
      return "the server may have acted on it, so trying again later may be billed twice"
    }
    switch exitStatus {
    case .retryLater: return "try again later"
    case .notAllowed: return "run hotline as the user that runs hotlined"
    case .configuration where code == "unknown_upstream":
      return "hotline status lists the upstreams"
    case .configuration where isDaemons == false:
      return "check the key that hotlined was given"
    default: return nil
    }
  }
}
