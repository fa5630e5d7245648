/// Decides when requests fail at once because waiting will not help.
///
/// Opened by a failure that cannot heal by itself, or by a long time of nothing but failures; one
/// probe then finds out whether the upstream is back.
struct Circuit: Sendable {
  static let probeAfterMin: Duration = .seconds(60)
  static let probeAfterMax: Duration = .seconds(600)

  enum State: Hashable {
    /// Requests may wait. Next: `.open`.
    case closed
    /// Requests fail with `error`. Next: `.closed` when a probe succeeds.
    case open(error: HotlineError, probeAt: MonotonicInstant)
  }

  private(set) var state = State.closed
  private var probeAfter = probeAfterMin

  var error: HotlineError? {
    if case .open(let error, _) = state { return error }
    return nil
  }

  /// The earliest instant for a probe; nil while closed.
  var probeAt: MonotonicInstant? {
    if case .open(_, let probeAt) = state { return probeAt }
    return nil
  }

  /// A failed probe moves the next one further away; a failure before the probe is due is of a dial
  /// that had begun earlier, and moves it only where the server asks for that.
  mutating func failed(
    with error: HotlineError, retryAfter: Duration?, at now: MonotonicInstant
  ) {
    #if HOTLINE_PLANTED_FAULTS
      let error = PlantedFault.current == .repeatsOldWords ? self.error ?? error : error
      switch PlantedFault.current {
      case .probesTooSoon: probeAfter = min(probeAfter, .seconds(50))
      case .probesTooLate: probeAfter = max(probeAfter, .seconds(70))
      case .neverSlowsItsProbes: probeAfter = Self.probeAfterMin
      default: break
      }
    #endif
    let asked = min(retryAfter ?? .zero, Self.probeAfterMax)
    if case .open(_, let probeAt) = state, now < probeAt {
      state = .open(error: error, probeAt: max(probeAt, now.advanced(by: asked)))
      return
    }
    let wait = max(probeAfter, asked)
    state = .open(error: error, probeAt: now.advanced(by: wait))
    probeAfter = min(probeAfter * 2, Self.probeAfterMax)
  }

  /// The server has asked to be left alone until an instant, which is later than requests may wait.
  mutating func gaveUp(with error: HotlineError, until instant: MonotonicInstant) {
    guard case .closed = state else { return }
    state = .open(error: error, probeAt: instant)
  }

  /// A connection opened; it may still turn out to be refused, so the step is kept.
  mutating func opened() {
    state = .closed
  }

  /// A connection proved itself.
  mutating func succeeded() {
    self = Circuit()
  }
}

extension ConnectionFailure {
  /// The code for requests where waiting will not heal this failure; nil where it may.
  ///
  /// 403 is also used to throttle, but nothing tells the two apart: the probe finds out.
  var hopelessCode: HotlineError.Code? {
    switch kind {
    case .upgradeRefused:
      switch status ?? 0 {
      case 401, 403: .upstreamAuth
      case 408, 425, 429, 500...: nil
      default: .upstreamRejected
      }
    case .proxyRefused: .upstreamRejected
    case .closed: closeCode == 1008 || closeCode == 4000 ? .upstreamRejected : nil
    case .unreachable, .tls, .upgradeInvalid, .lost, .protocolViolation, .local: nil
    }
  }

  /// This failure as the error of a request.
  func error(
    _ code: HotlineError.Code, _ prefix: String, sent: HotlineError.Sent = .no,
    isRetryable: Bool
  ) -> HotlineError {
    var error = HotlineError(
      code, "\(prefix): \(detail); \(Self.remedy(code, sent))", origin: .upstream, sent: sent,
      isRetryable: isRetryable)
    error.status = status
    error.closeCode = closeCode
    error.closeReason = closeReason
    return error
  }

  /// What helps where connections fail.
  static let remedy = "hotline doctor tries each step on the way to the server"

  private static func remedy(_ code: HotlineError.Code, _ sent: HotlineError.Sent) -> String {
    switch code {
    case .upstreamAuth: "store the right key with hotline key set"
    case .upstreamRejected: "check the upstream's url, headers and proxy with hotline doctor"
    case .connectionLost, .upstreamProtocol:
      sent == .no ? "send the request again" : "the request may be billed twice if sent again"
    default: remedy
    }
  }
}
