import HotlineCore

/// What a server said of its limits, as far as it matters: which are used up, and until when.
struct Rations {
  private var usedUp: [String: Int64] = [:]
  /// Until when nothing is to be sent; in the past, too.
  private(set) var usedUpUntil: Int64?

  mutating func said(_ limits: [RateLimit], at now: Int64) {
    for limit in limits {
      let isUsedUp = limit.remaining == 0 || limit.usedPercent == 100
      usedUp[limit.name] = isUsedUp ? limit.resetsAfter.map { now + $0.nanoseconds } : nil
    }
    usedUpUntil = usedUp.values.max()
  }
}

/// Servers that ration: what is used up holds requests back, and not a moment longer.
extension Simulation {
  func planLimits(on number: ConnectionNumber, _ faults: Scenario.Faults) {
    guard faults.saysLimits > 0, fourth.chance(faults.saysLimits) else { return }
    var message = Message(facts: EventFacts(.notice))
    for _ in 0...fourth.below(2) { message.limits.append(drawLimit()) }
    say(message, on: number, after: fourth.time(1000, .seconds(1)))
  }

  private func drawLimit() -> RateLimit {
    let name = fourth.pick(["requests", "tokens", "primary"])
    let longest: Int64 = scenario.isChatty ? .seconds(2) : .seconds(8)
    let resetsAfter: Duration? =
      fourth.oneIn(8) ? nil : .nanoseconds(fourth.time(.milliseconds(1), longest))
    if name == "primary" {
      let percent: Double = fourth.pick([20, 100])
      return RateLimit(name, usedPercent: percent, resetsAfter: resetsAfter)
    }
    return RateLimit(
      name, limit: 100, remaining: fourth.pick([0, 0, 1, 50]), resetsAfter: resetsAfter)
  }

  /// The message before has been told; what it says of limits is told next.
  func tellLimits(of message: Message, on connection: SimulatedConnection) {
    guard !message.limits.isEmpty, violation == nil, !isStopped else { return }
    let index = connection.upstream.rawValue
    let wasHeld = isHeld(index)
    rations[index].said(message.limits, at: now)
    if !wasHeld, isHeld(index) { tally.held += 1 }
    let instant = instant
    feed("what is said of the limits of \(index)") {
      $0.rateLimitsSaid(message.limits, by: connection.upstream, at: instant)
    }
  }

  /// When the hold of an upstream ends or ended.
  private func holdEnd(_ index: Int) -> Int64? {
    guard scenario.upstreams[index].limits.rateLimits == .wait else { return nil }
    return rations[index].usedUpUntil
  }

  /// Nothing is to be sent now.
  func isHeld(_ index: Int) -> Bool { holdEnd(index).map { now < $0 } ?? false }

  /// The reset was a moment ago, and the timer that is armed for it may not have come yet.
  func isHoldEnding(_ index: Int) -> Bool {
    guard let end = holdEnd(index) else { return false }
    return end <= now && timerCalledAt < end && !isTimerOverdue(since: end)
  }

  private func isTimerOverdue(since end: Int64) -> Bool {
    now > end + scenario.timerLateMax && leaptAt < end
  }

  func checkHeld(_ request: TrueRequest) {
    if isHeld(request.spec.upstream.rawValue) {
      complain("\(describe(request.number)) is sent, though a limit of its server is used up")
    }
  }

  /// Whatever comes around the reset, the timer for what waits for it does.
  func checkHoldsEnd() {
    for index in rations.indices {
      guard let end = holdEnd(index), end <= now, timerCalledAt < end, isTimerOverdue(since: end)
      else { continue }
      let waiting = open.filter { number in
        guard let request = requests[number], request.spec.upstream.rawValue == index else {
          return false
        }
        return request.isPlain && isImpatient(request) && request.arrivedAt < end
      }
      guard let number = waiting.min(),
        let place = freeLanes(of: UpstreamIndex(index)).first(where: \.isYoung)
      else { continue }
      let name = "C\(place.connection.rawValue)"
      return complain("\(describe(number)) waits beyond a limit's reset, though \(name) is free")
    }
  }
}
