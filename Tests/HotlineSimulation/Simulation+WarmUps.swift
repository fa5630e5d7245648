import HotlineCore

/// How the warm-ups of one upstream fared since the latest reload.
struct TrueWarmUps {
  /// The core has said that there are no more.
  var isGivenUp = false
  var givenUpAt: Int64?
  /// The server has refused one, so that the core must have said so by the end of the step.
  var isRefused = false
  /// So many in a row came to nothing, at most.
  var failuresInARow = 0
  /// One was for nothing, and perhaps, or surely, no request has been served since.
  var mayBeWasted = false
  var isWasted = false
}

/// New connections are warmed up: at nobody's expense, and for nobody to see.
extension Simulation {
  // MARK: The driver's part

  func warmUp(_ number: RequestNumber, _ on: ConnectionNumber, _ name: Int?) {
    checkWarmUp(number, on, name)
    guard violation == nil, let connection = connections[on] else { return }
    tally.warmedUp += 1
    let limits = scenario.upstreams[connection.upstream.rawValue].limits
    var truth = TrueRequest(
      number: number, client: ClientNumber(0), uid: 0, id: .integer("0"),
      spec: NewRequest(id: nil, upstream: connection.upstream), arrivedAt: now, arrivedIn: step,
      deadline: .max, waitTimeout: .max, position: 0...0)
    truth.isOpen = false
    truth.isWarmUp = true
    truth.attempts = [TrueRequest.Attempt(connection: on, lane: 0, isNamed: name != nil)]
    requests[number] = truth
    connections[on]?.warmUp = number
    connections[on]?.lanes[0].current = number
    connections[on]?.lanes[0].giveUpAt = now + limits.abandonedTimeout.nanoseconds
    if sixth.chance(faults(of: connection.upstream).lossBeforeHandOver) {
      return cut(on, lossFailure(), after: sixth.time(0, .milliseconds(50)))
    }
    agenda.plan(
      .requestIsHandedOver(number, on, attempt: 0), at: now + sixth.time(1, .milliseconds(40)))
  }

  func accountForWarmUp(_ number: ConnectionNumber) {
    guard case .message(number, let message) = atHand, case .terminal = message.facts.kind else {
      return complain("a warm-up is accounted for that has not ended")
    }
  }

  func giveUpWarmUps(_ upstream: UpstreamIndex, _ reason: WarmUps.Reason) {
    let index = upstream.rawValue
    if warmUps[index].isGivenUp { return complain("warm-ups are given up twice") }
    warmUps[index].isGivenUp = true
    warmUps[index].givenUpAt = now
    switch reason {
    case .refused:
      guard case .message(_, let message) = atHand, message.facts.kind == .error else {
        return complain("a warm-up counts as refused, which nobody did")
      }
    case .overdue:
      let isDue = present.contains { number in
        guard let connection = connections[number], connection.upstream == upstream else {
          return false
        }
        return connection.lanes[0].giveUpAt.map { now >= $0 } ?? false
      }
      if !isDue { complain("a warm-up counts as overdue before its time") }
    case .failing:
      let running = present.count { number in
        connections[number].map { $0.upstream == upstream && isWarmUpUnderWay($0) } ?? false
      }
      if warmUps[index].failuresInARow + running < 3 {
        complain("warm-ups are given up after \(warmUps[index].failuresInARow) failures")
      }
    }
  }

  // MARK: The server's part

  func serveWarmUp(_ number: RequestNumber, on: ConnectionNumber) {
    guard let connection = connections[on], let attempt = requests[number]?.attempts.first else {
      return
    }
    let upstream = connection.upstream
    var script = Script(
      owner: number, lane: lane(named: attempt, on: on),
      startingAt: max(now, connection.lanes[0].busyUntil))
    script.wait(sixth.time(1000, sixth.oneIn(8) ? .seconds(5) : .milliseconds(400)))
    var manners = scenario.servers[upstream.rawValue].warmUps
    if isPeaceful, manners == .drops || manners == .leaves { manners = .answers }
    if attempt.isNamed, self.manners(of: upstream) == .refuses {
      script.fail("invalid_request_error", param: "stream_id")
    } else {
      write(manners, into: &script, upstream)
    }
    let isOverAt = script.clock
    if script.isOver, sixth.chance(faults(of: upstream).lateEvents) {
      script.wait(sixth.time(0, .seconds(2)))
      script.late(sixth.below(3))
    }
    plan(script, on: on)
    if manners == .leaves {
      cut(on, lossFailure(), after: isOverAt - now + sixth.time(1000, .seconds(4)))
    }
    connections[on]?.lanes[0].busyUntil = script.isEndless ? .max / 2 : isOverAt
  }

  private func write(
    _ manners: Scenario.WarmUpManners, into script: inout Script, _ upstream: UpstreamIndex
  ) {
    nextResponse += 1
    if scenario.servers[upstream.rawValue].identifies {
      script.responseID = ByteString("resp_\(nextResponse)".utf8)
    }
    switch manners {
    case .refuses: return script.fail("unknown_parameter", param: "generate")
    case .drops:
      if sixth.oneIn(2) { script.begin() }
      return script.end = .cut(lossFailure())
    case .neverEnds:
      if sixth.oneIn(2) { script.begin() }
      return script.isEndless = true
    case .answers, .leaves: break
    }
    let fate = Fate(faults(of: upstream), &sixth)
    switch fate {
    case .refusal: return script.fail("session_expired", isRefusal: true)
    case .error: return script.fail("rate_limit_exceeded")
    case .silenceBefore: return script.end = .silence
    case .lossBefore: return script.end = .cut(lossFailure())
    case .nothing: return script.isEndless = true
    case .wholeAnswer, .loss, .silence, .errorWithin, .unusableWithin, .silentEnd: break
    }
    script.begin()
    // No output was asked for; some servers may have their own mind.
    if sixth.oneIn(8) { script.delta(isText: true, bytes: 10) }
    switch fate {
    case .loss: script.end = .cut(lossFailure())
    case .silence: script.end = .silence
    case .silentEnd: script.isEndless = true
    case .errorWithin: script.fail("server_error")
    default: script.finish(sixth.oneIn(8) ? .failed : .completed)
    }
  }

  // MARK: What becomes of one

  /// Its server has it, and it has not ended.
  private func isWarmUpUnderWay(_ connection: SimulatedConnection) -> Bool {
    guard connection.isOpenToCore, let number = connection.warmUp,
      connection.lane(of: number) != nil
    else { return false }
    return requests[number]?.attempts.first?.isHandedOver == true
  }

  /// A message of what runs, or one that cannot be told from it.
  func learnWhatItServes(_ message: Message, isWarmUp: Bool, on number: ConnectionNumber) {
    if isWarmUp { return learnWarmUp(message, on: number) }
    guard message.facts.endsAResponse, let connection = connections[number] else { return }
    connections[number]?.mayHaveServed = true
    noteServed(on: connection, by: message.facts)
  }

  private func learnWarmUp(_ message: Message, on number: ConnectionNumber) {
    guard let connection = connections[number] else { return }
    let index = connection.upstream.rawValue
    switch message.facts.kind {
    case .terminal(.failed):
      warmUps[index].failuresInARow += 1
      connections[number]?.isWarmedUp = true
    case .terminal:
      if !connection.isConfused { warmUps[index].failuresInARow = 0 }
      connections[number]?.isWarmedUp = true
    case .error:
      warmUps[index].failuresInARow += 1
      connections[number]?.isWarmedUp = true
      if message.facts.errorParam == "generate", message.owner == connection.warmUp,
        !connection.isConfused
      {
        warmUps[index].isRefused = true
      }
    case .progress, .text, .notice, .unusable: break
    }
  }

  /// Its connection is about to be told to have ended.
  ///
  /// - Returns: whether that may be the warm-up's fault, so that no dial has failed.
  func noteWarmUpLoss(with connection: SimulatedConnection) -> Bool {
    guard !connection.closeIsAsked, connection.state == .open else { return false }
    noteWaste(of: connection)
    let isLost = isWarmUpUnderWay(connection)
    if isLost { warmUps[connection.upstream.rawValue].failuresInARow += 1 }
    return isLost
  }

  func noteWarmUpClosed(_ number: ConnectionNumber, _ reason: CloseReason) {
    guard let connection = connections[number] else { return }
    switch reason {
    case .unexpectedEvent, .pongTimeout, .refusedByServer:
      noteWaste(of: connection)
      if isWarmUpUnderWay(connection) {
        warmUps[connection.upstream.rawValue].failuresInARow += 1
      }
    case .idleLimit, .ageLimit, .surplus:
      noteWaste(of: connection)
    case .abandoned, .abandonedTimeout, .errorInResponse, .steered, .reloaded, .shutdown:
      break
    }
  }

  private func noteWaste(of connection: SimulatedConnection) {
    let index = connection.upstream.rawValue
    guard connection.warmUp != nil else { return }
    warmUps[index].mayBeWasted = true
    guard connection.isWarmedUp, !connection.mayHaveServed, !connection.isConfused,
      !connection.closeIsAsked, connection.state == .open, connection.silentAt == nil
    else { return }
    if atHandIsNothing { warmUps[index].isWasted = true }
  }

  private var atHandIsNothing: Bool {
    if case .nothing = atHand { true } else { false }
  }

  /// A response of somebody's has ended: what was for nothing is forgiven, perhaps or surely.
  private func noteServed(on connection: SimulatedConnection, by facts: EventFacts) {
    let index = connection.upstream.rawValue
    warmUps[index].isWasted = false
    // What an error refuses for the connection's sake goes elsewhere; what is steered may go on.
    if !connection.isConfused, facts.kind != .error,
      !connection.lanes.contains(where: {
        // What has not ended in time may no longer be listened to.
        $0.steering.isSteered || $0.steering.mayBringAnother || $0.mayBeSpent
      })
    {
      warmUps[index].mayBeWasted = false
    }
  }

  // MARK: Checks

  private func checkWarmUp(_ number: RequestNumber, _ on: ConnectionNumber, _ name: Int?) {
    guard let connection = connections[on], connection.isOpenToCore, requests[number] == nil else {
      return complain("a warm-up on C\(on.rawValue), which is not open, or by a number of old")
    }
    let index = connection.upstream.rawValue
    guard scenario.upstreams[index].warmsUp, !scenario.isRemoved[index] else {
      return complain("C\(on.rawValue) is warmed up, though that is not configured")
    }
    if isTerminating || isDraining {
      return complain("C\(on.rawValue) is warmed up while draining")
    }
    if connection.openedAt != now || connection.isBusy || connection.warmUp != nil {
      return complain("C\(on.rawValue) is warmed up, though it is not new")
    }
    if warmUps[index].isGivenUp {
      return complain("C\(on.rawValue) is warmed up, though that was given up")
    }
    if warmUps[index].isWasted {
      return complain("C\(on.rawValue) is warmed up, though the last time was for nothing")
    }
    if isHeld(index) {
      return complain("C\(on.rawValue) is warmed up, though a limit of its server is used up")
    }
    if waitingCounts(at: connection.upstream).lowerBound > 0 {
      return complain("C\(on.rawValue) is warmed up while somebody waits")
    }
    checkLane(name, of: connection)
  }

  /// After a connection has opened: it is warmed up where nothing speaks against it.
  func checkIsWarmedUp(_ number: ConnectionNumber) {
    guard violation == nil, !isStopped, let connection = connections[number],
      connection.isOpenToCore, connection.warmUp == nil, !connection.isBusy
    else { return }
    let index = connection.upstream.rawValue
    guard scenario.upstreams[index].warmsUp, !scenario.isRemoved[index], !isTerminating,
      !isDraining, !warmUps[index].isGivenUp, !warmUps[index].mayBeWasted, !isHeld(index),
      !isHoldEnding(index), waitingCounts(at: connection.upstream).upperBound == 0,
      isSurelyTrusted(index),
      // What waits at another upstream may have been about to come here.
      scenario.client.alternatives == 0
        || open.allSatisfy({ requests[$0].map(isRunning) ?? true })
    else { return }
    complain("C\(number.rawValue) is not warmed up, though nobody waits")
  }

  /// Openings mean something: none has failed, or one of after that has lasted.
  private func isSurelyTrusted(_ index: Int) -> Bool {
    guard let troubledAt = dials[index].troubledAt else { return true }
    return present.contains { number in
      connections[number].map {
        $0.upstream.rawValue == index && $0.isOpenToCore && $0.openedAt >= troubledAt
          && $0.openedAt + .seconds(3) < timerCalledAt
      } ?? false
    }
  }

  /// After every step: a server that refuses is heard.
  func checkWarmUps() {
    for index in warmUps.indices where warmUps[index].isRefused && !warmUps[index].isGivenUp {
      return complain("upstream \(index) refused a warm-up, which nobody heard")
    }
  }

  /// While connections warm up none is dialled in their place.
  func checkIsNotForAWarmUp(_ upstream: UpstreamIndex) {
    let index = upstream.rawValue
    guard waitingCounts(at: upstream).upperBound == 0 else { return }
    let own = present.compactMap { connections[$0] }.filter { $0.upstream == upstream }
    let ready = own.filter { connection in
      connection.isOpenToCore && !connection.mayBeRetiring && !connection.isConfused
        && isYoung(connection, scenario.upstreams[index].limits)
    }
    guard ready.contains(where: \.isWarming) else { return }
    let spare = ready.count { $0.isWarming || $0.hasFreeLane } + own.count(where: \.isDialing)
    let warm = scenario.upstreams[index].limits.connectionsWarm
    if spare >= warm { complain("a connection is dialled for one that warms up") }
  }
}
