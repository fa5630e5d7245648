/// Decides when a quiet upstream connection is pinged and when its silence means it is dead.
///
/// Pure value, confined to the daemon loop. Anything heard counts as life; only a ping that stays
/// without an answer kills, because a model may think for minutes without an event.
struct Keepalive: Sendable {
  enum Verdict: Hashable {
    case sendPing(id: UInt64)
    case dead
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
  /// When anything came from the server last; at first, when the connection opened.
  private(set) var heardAt: MonotonicInstant
  /// Time between the last answered ping and its pong.
  private(set) var roundTrip: Duration?

  init(interval: Duration, timeout: Duration, at now: MonotonicInstant) {
    self.interval = interval
    self.timeout = timeout
    lastPingAt = now
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

  /// Goes by other limits from the next thing heard, or ping, on.
  mutating func limits(interval: Duration, timeout: Duration) {
    self.interval = interval
    self.timeout = timeout
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

  /// Asks at once for a sign of life, which must come within `limit`.
  ///
  /// - Returns: the ping to send; nil if it has been found dead already.
  mutating func probe(within limit: Duration, at now: MonotonicInstant) -> UInt64? {
    switch state {
    case .quiet, .awaitingPong:
      pingsSent += 1
      lastPingAt = now
      state = .awaitingPong(giveUpAt: now.advanced(by: limit))
      return pingsSent
    case .dead:
      return nil
    }
  }

  mutating func pongReceived(id: UInt64, at now: MonotonicInstant) {
    if id == pingsSent, id > 0 { roundTrip = lastPingAt.duration(to: now) }
    heard(at: now)
  }

  mutating func deadlineReached(at now: MonotonicInstant) -> Verdict? {
    guard let deadline = nextDeadline, now >= deadline else { return nil }  // Early is harmless.
    switch state {
    case .quiet:
      pingsSent += 1
      lastPingAt = now
      state = .awaitingPong(giveUpAt: now.advanced(by: timeout))
      return .sendPing(id: pingsSent)
    case .awaitingPong:
      state = .dead
      return .dead
    case .dead:
      return nil
    }
  }
}
