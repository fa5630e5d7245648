/// What a server said of one of its limits.
package struct RateLimit: Hashable, Sendable {
  /// What the server calls it: `requests`, `tokens`, `primary`.
  package var name: String
  /// How much there is of it.
  package var limit: Int?
  /// How much of that is left.
  package var remaining: Int?
  /// How much of it is used, of servers that say it so.
  package var usedPercent: Double?
  /// Until it is whole again, from when it was said.
  package var resetsAfter: Duration?

  package init(
    _ name: String, limit: Int? = nil, remaining: Int? = nil, usedPercent: Double? = nil,
    resetsAfter: Duration? = nil
  ) {
    self.name = name
    self.limit = limit
    self.remaining = remaining
    self.usedPercent = usedPercent
    self.resetsAfter = resetsAfter
  }

  /// A request would be refused.
  var isUsedUp: Bool {
    remaining.map { $0 <= 0 } ?? usedPercent.map { $0 >= 100 } ?? false
  }
}

/// The limits of one upstream, as its server said them last, and when requests may go on.
///
/// Pure value, confined to the daemon loop.
struct RateLimits: Sendable {
  /// Limits of different names; those that come later are not kept.
  static let namesMax = 16

  private struct Entry {
    var limit: RateLimit
    var resetsAt: MonotonicInstant?
  }

  private var entries: [String: Entry] = [:]
  /// When all limits that are used up are whole again; nil if none is, or none says when.
  ///
  /// Stays when it has passed, until ``holdIsOver()``: whatever is noticed first after that, what
  /// waits for it has to be woken.
  private(set) var usedUpUntil: MonotonicInstant?

  /// Each takes the place of what was said before of the limit of its name.
  mutating func said(_ limits: [RateLimit], at now: MonotonicInstant) {
    entries = entries.filter { $0.value.resetsAt ?? now >= now }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .forgetsOtherLimits { entries = [:] }
    #endif
    for limit in limits where entries[limit.name] != nil || entries.count < Self.namesMax {
      entries[limit.name] = Entry(
        limit: limit, resetsAt: limit.resetsAfter.map { now.advanced(by: $0) })
    }
    let resets = entries.values.filter(\.limit.isUsedUp).compactMap(\.resetsAt)
    usedUpUntil = resets.max()
    #if HOTLINE_PLANTED_FAULTS
      switch PlantedFault.current {
      case .waitsForTheFirstReset: usedUpUntil = resets.min()
      case .holdsALittleTooLong: usedUpUntil = resets.max()?.advanced(by: .milliseconds(5))
      case .holdsALittleTooShort: usedUpUntil = resets.max()?.advanced(by: .milliseconds(-5))
      case .sendsWhatWouldBeRefused: usedUpUntil = nil
      default: break
      }
    #endif
  }

  /// What waited for it is served.
  mutating func holdIsOver() { usedUpUntil = nil }

  /// By their names, with the time that is left of each; what has been reset is not known.
  func known(at now: MonotonicInstant) -> [RateLimit] {
    entries.values.compactMap { entry in
      guard let resetsAt = entry.resetsAt else { return entry.limit }
      guard resetsAt > now else { return nil }
      var limit = entry.limit
      limit.resetsAfter = now.duration(to: resetsAt)
      return limit
    }.sorted { $0.name < $1.name }
  }
}

extension Broker {
  /// A server said something of its limits, on whichever connection.
  package mutating func rateLimitsSaid(
    _ limits: [RateLimit], by upstream: UpstreamIndex, at now: MonotonicInstant
  ) -> [Action] {
    guard !limits.isEmpty else { return [] }
    let wasHeld = heldUntil(upstream.rawValue, at: now) != nil
    upstreams[upstream.rawValue].rateLimits.said(limits, at: now)
    if !wasHeld, heldUntil(upstream.rawValue, at: now) != nil { counters.rateLimitHolds += 1 }
    // It may have given more.
    return conclude([], at: now)
  }

  /// No request of an upstream is sent before, as its server would refuse it; nil: they may go.
  ///
  /// Asked at each input, so it touches nothing that would have to be copied.
  func heldUntil(_ index: Int, at now: MonotonicInstant) -> MonotonicInstant? {
    holdEnd(index).flatMap { $0 > now ? $0 : nil }
  }

  /// When a limit gives or gave back what waits for it; nil: nothing was held, or it has been
  /// served since.
  func holdEnd(_ index: Int) -> MonotonicInstant? {
    guard let until = upstreams[index].rateLimits.usedUpUntil,
      upstreams[index].pool.settings.limits.rateLimits == .wait
    else { return nil }
    return until
  }

  /// What a limit held back could go now, and no input has let it go yet.
  func hasUnservedHold(_ index: Int, at now: MonotonicInstant) -> Bool {
    guard upstreams[index].waitingCount > 0, let end = holdEnd(index) else { return false }
    return end <= now
  }

  /// Requests that a connection would help.
  func waitingForConnections(_ index: Int, at now: MonotonicInstant) -> Int {
    heldUntil(index, at: now) == nil ? upstreams[index].queue.count : 0
  }
}
