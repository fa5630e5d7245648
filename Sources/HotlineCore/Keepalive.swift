/// Decides when a quiet upstream connection is pinged and when its silence means it is dead.
///
/// Pure value, confined to the daemon loop. Anything heard counts as life; only a ping that stays
/// without an answer kills, because a model may think for minutes without an event.
struct Keepalive: Sendable {
  enum Verdict: Hashable {
    case sendPing(id: UInt64)
    /// The oldest ping without an answer has waited for so long.
    case dead(after: Duration)
  }

  enum State: Hashable {
    /// Peer heard from recently. Next: `.awaitingPong` at `pingAt`.
    case quiet(pingAt: MonotonicInstant)
    /// Ping in flight. Next: `.quiet` on anything heard, `.dead` at `giveUpAt`.
    case awaitingPong(giveUpAt: MonotonicInstant)
    /// Terminal: the verdict has been handed out.
    case dead
  }

  private var interval: Duration
  private var timeout: Duration
  private(set) var state: State
  private var pingsSent: UInt64 = 0
  private var lastPingAt: MonotonicInstant
  /// When the oldest of the pings without an answer was sent.
  private var askedAt: MonotonicInstant
  /// When anything came from the server last; at first, when the connection opened.
  private(set) var heardAt: MonotonicInstant
  /// Time between the last answered ping and its pong.
  private(set) var roundTrip: Duration?

  init(interval: Duration, timeout: Duration, at now: MonotonicInstant) {
    self.interval = interval
    self.timeout = timeout
    lastPingAt = now
    askedAt = now
    heardAt = now
    state = .quiet(pingAt: now.advanced(by: interval))
  }

  /// A ping is out whose answer has to come by an instant.
  func isAwaitingPong(by instant: MonotonicInstant) -> Bool {
    switch state {
    case .awaitingPong(let giveUpAt): giveUpAt <= instant
    case .quiet, .dead: false
    }
  }

  var nextDeadline: MonotonicInstant? {
    switch state {
    case .quiet(let pingAt): pingAt
    case .awaitingPong(let giveUpAt): giveUpAt
    case .dead: nil
    }
  }

  /// Goes by other limits; a ping that is out may be answered for as long as before.
  mutating func limits(interval: Duration, timeout: Duration) {
    self.interval = interval
    self.timeout = timeout
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .pingsLateAfterAReload { return }
    #endif
    if case .quiet = state { state = .quiet(pingAt: heardAt.advanced(by: interval)) }
  }

  mutating func heard(at now: MonotonicInstant) {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .missesPongs, case .awaitingPong = state { return }
    #endif
    heardAt = now
    switch state {
    case .quiet, .awaitingPong: state = .quiet(pingAt: now.advanced(by: interval))
    case .dead: break
    }
  }

  /// Asks at once for a sign of life, which must come within `limit`; sooner, if an earlier ping
  /// has to be answered sooner: what asks again and again must not keep the dead alive.
  ///
  /// - Returns: the ping to send; nil if it has been found dead already.
  mutating func probe(within limit: Duration, at now: MonotonicInstant) -> UInt64? {
    let giveUpAt = now.advanced(by: limit)
    switch state {
    case .quiet:
      askedAt = now
      state = .awaitingPong(giveUpAt: giveUpAt)
    case .awaitingPong(let earlier):
      state = .awaitingPong(giveUpAt: min(earlier, giveUpAt))
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .forgetsAnEarlierProbe {
          state = .awaitingPong(giveUpAt: giveUpAt)
        }
      #endif
    case .dead:
      return nil
    }
    pingsSent += 1
    lastPingAt = now
    return pingsSent
  }

  mutating func pongReceived(id: UInt64, at now: MonotonicInstant) {
    if id == pingsSent, id > 0 { roundTrip = lastPingAt.duration(to: now) }
    heard(at: now)
  }

  mutating func deadlineReached(at now: MonotonicInstant) -> Verdict? {
    guard let deadline = nextDeadline, now >= deadline else { return nil }  // Early is harmless.
    switch state {
    case .quiet:
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .neverPings {
          state = .quiet(pingAt: now.advanced(by: interval))
          return nil
        }
      #endif
      return probe(within: timeout, at: now).map { .sendPing(id: $0) }
    case .awaitingPong(let giveUpAt):
      state = .dead
      return .dead(after: askedAt.duration(to: giveUpAt))
    case .dead:
      return nil
    }
  }
}
