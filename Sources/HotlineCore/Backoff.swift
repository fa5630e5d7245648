/// Decides when to dial again after failures: half a second doubling to eight, with jitter.
///
/// While somebody waits, or the outage is younger than six seconds, the delay never exceeds half
/// a second: a restart of the server should be noticed within a second of its end.
struct Backoff: Sendable {
  static let delayMin: Duration = .milliseconds(500)
  static let delayMax: Duration = .seconds(8)
  /// For five seconds, and for what a dial that begins within them takes to fail.
  static let freshOutage: Duration = .seconds(6)
  /// Longest `Retry-After` that is believed.
  static let retryAfterMax: Duration = .seconds(600)

  /// Consecutive failures since the last connection that proved itself.
  private(set) var failures = 0
  private(set) var lastFailureAt: MonotonicInstant?
  /// When the server asked to be left alone until.
  private(set) var notBefore: MonotonicInstant?
  /// When it asked so last.
  private var askedAt: MonotonicInstant?
  /// The jittered delay of the current step.
  private var delay: Duration = .zero

  /// The earliest instant for the next dial; nil where it may begin at once.
  func dialAt(isWanted: Bool, downSince: MonotonicInstant?) -> MonotonicInstant? {
    guard let lastFailureAt else { return notBefore }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .dialsAtOnceAfterAFailure { return nil }
    #endif
    let isFresh = downSince.map { $0.duration(to: lastFailureAt) < Self.freshOutage } ?? false
    #if HOTLINE_PLANTED_FAULTS
      let isWanted = PlantedFault.current == .backsOffThoughSomebodyWaits ? false : isWanted
    #endif
    let wait = isWanted || isFresh ? min(delay, Self.delayMin) : delay
    return max(lastFailureAt.advanced(by: wait), notBefore ?? lastFailureAt)
  }

  mutating func dialFailed(
    retryAfter: Duration?, fraction: Double, at now: MonotonicInstant
  ) {
    failures = min(failures + 1, 32)
    lastFailureAt = now
    let step = Self.delayMin * (1 << min(failures - 1, 8))
    let whole = min(step, Self.delayMax)
    // Half fixed, half random: never at once, never all clients together.
    delay = whole / 2 + whole / 2 * fraction
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .backsOffTooLong { delay = delay * 4 }
    #endif
    guard let retryAfter else { return }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .forgetsRetryAfter { return }
    #endif
    let asked = now.advanced(by: min(retryAfter, Self.retryAfterMax))
    notBefore = max(notBefore ?? asked, asked)
    askedAt = now
  }

  /// A connection proved itself; what the server has asked for since its dial began still holds.
  mutating func succeeded(dialedAt: MonotonicInstant) {
    let before = self
    self = Backoff()
    guard let askedAt = before.askedAt, askedAt > dialedAt else { return }
    (notBefore, self.askedAt) = (before.notBefore, askedAt)
  }

  /// What failed before says nothing any more.
  mutating func forget() {
    self = Backoff()
  }

  /// A connection opened but has not proved itself yet: the next dial need not wait, the count of
  /// failures stays, so that a server that accepts and closes at once is not dialled in a loop.
  /// What the server has asked for since that connection's dial began still holds.
  mutating func opened(dialedAt: MonotonicInstant) {
    lastFailureAt = nil
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .forgetsANewerRetryAfter {
        notBefore = nil
        return
      }
    #endif
    if let askedAt, askedAt > dialedAt { return }
    notBefore = nil
  }
}
