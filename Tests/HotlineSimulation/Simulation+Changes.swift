import HotlineCore

/// What befalls the daemon as a whole: the network, sleep, reloads and drains.
extension Simulation {
  func planChanges() {
    let changes = scenario.changes
    let length = scenario.activeNanoseconds
    func plan(_ occurrence: Occurrence, _ count: Int) {
      for _ in 0..<count { agenda.plan(occurrence, at: second.time(0, length)) }
    }
    plan(.networkChanges, changes.networkChanges)
    plan(.machineSleeps, changes.suspends)
    plan(.reload, changes.reloads)
    for _ in 0..<changes.drains {
      let instant = second.time(0, length)
      agenda.plan(.drainIsRequested, at: instant)
      // Without a reload nothing is accepted any more.
      guard !second.oneIn(5) else { continue }
      agenda.plan(.reload, at: min(length, instant + second.time(0, .seconds(20))))
    }
  }

  // MARK: The network

  func changeNetwork() {
    guard violation == nil, !isStopped else { return }
    forgetFailures()
    let open = present.filter { connections[$0]?.isOpenToCore == true }
    let instant = instant
    isChangingNetwork = true
    feed("the network has changed") { broker in
      let actions = broker.networkChanged(at: instant)
      self.checkProbes(of: open, in: actions)
      return actions
    }
    isChangingNetwork = false
  }

  /// Earlier failures say nothing of what a dial would meet now.
  private func forgetFailures() {
    for index in dials.indices { dials[index].forget() }
  }

  // MARK: Sleep

  /// The machine sleeps. Its monotonic clock stands still, or leaps; its servers go on.
  func sleep() {
    guard phase == .acting, violation == nil, !isStopped else { return }
    for number in present.sorted() where connections[number]?.state == .open {
      connections[number]?.hasSlept = true
      switch second.below(4) {
      case 0: fallSilent(number)
      case 1: cut(number, ConnectionFailure(.lost, "reset after sleep"), after: 1_000_000)
      default: break
      }
    }
    let room = scenario.activeNanoseconds - now
    if second.oneIn(2), room > 1 {
      let length = min(room, second.time(.seconds(1), .seconds(3600)))
      if isTraced { note("the clock leaps by \(length / 1_000_000) ms") }
      jump(by: length)
    }
    agenda.plan(.networkChanges, at: now + second.time(1, .seconds(1)))
  }

  // MARK: Reloads

  func reload() {
    guard violation == nil, !isStopped else { return }
    let before = scenario.upstreams
    let reloads = scenario.reload(&second, &third, &sixth)
    let limits = scenario.limits
    while dials.count < reloads.count { addUpstream() }
    for index in memories.indices { memories[index].limit(to: limits.affinityEntriesMax) }
    forgetFailures()
    markOutdated(before, reloads)
    laneless = []
    saidLaneless = []
    warmUps = warmUps.map { _ in TrueWarmUps() }
    rations = rations.map { _ in Rations() }
    endHoldsForReload()
    isReloading = true
    isDraining = false
    let instant = instant
    feed("reload: \(describe(reloads))") {
      $0.reloaded(limits: limits, upstreams: reloads, at: instant)
    }
    isReloading = false
    if let command = commands.first(where: { !$0.value.isAnswered })?.key, !isTerminating {
      complain("drain \(command.rawValue) has no answer, though a reload ended it")
    }
  }

  private func markOutdated(_ before: [UpstreamSettings], _ reloads: [UpstreamReload]) {
    for number in present {
      guard let connection = connections[number] else { continue }
      let index = connection.upstream.rawValue
      let interval = reloads[index].settings.limits.pingInterval.nanoseconds
      connections[number]?.pingDueAt = max(now, connection.heardAt + interval)
      if reloads[index].needsNewConnections, connections[number]?.outdatedAt == nil {
        connections[number]?.outdatedAt = step
      }
      let lanes = before[index].limits.lanes
      if lanes != reloads[index].settings.limits.lanes || reloads[index].isRemoved {
        connections[number]?.isMarred = true
      }
    }
  }

  private func describe(_ reloads: [UpstreamReload]) -> String {
    let each = reloads.map { reload in
      let limits = reload.settings.limits
      return reload.settings.name + (reload.isRemoved ? " removed" : "")
        + (reload.needsNewConnections ? " new credentials" : "")
        + " warm \(limits.connectionsWarm) max \(limits.connectionsMax) lanes \(limits.lanes)"
    }
    return each.joined(separator: "; ")
  }

  // MARK: Drains

  func drain() {
    guard violation == nil, !isStopped else { return }
    let able = clients.values.filter(\.mayAsk)
    if let stranger = able.filter(\.isStranger).map(\.number).min() { drain(by: stranger) }
    guard let client = able.filter({ !$0.isStranger }).map(\.number).min() else { return }
    isDraining = true
    for _ in 0..<second.pick([1, 1, 2]) { drain(by: client) }
    // It may have nothing else to say.
    if second.oneIn(2), clients[client]?.line == .open { halfClose(client) }
  }

  private func drain(by client: ClientNumber) {
    let number = CommandNumber(nextCommand)
    nextCommand += 1
    let isStranger = clients[client]?.isStranger == true
    if !isStranger { commands[number] = SimulatedCommand(client: client) }
    asked = .drain
    atHand = .line(client, answers: 0)
    let instant = instant
    feed("client \(client.rawValue) asks for drain \(number.rawValue)") {
      $0.drainRequested(number, by: client, at: instant)
    }
  }

  func answer(_ number: CommandNumber, _ error: HotlineError?) {
    guard let command = commands[number] else { return complain("an answer to no command") }
    guard !command.isAnswered else {
      return complain("drain \(number.rawValue) is answered twice")
    }
    guard clients[command.client] != nil else {
      return complain("an answer to a client that is gone")
    }
    commands[number]?.isAnswered = true
    switch error {
    case nil where !open.isEmpty: complain("a drain counts as done while requests are open")
    case .some where !isReloading: complain("a drain fails without a reason")
    default: break
    }
  }

  func checkDrains() {
    guard open.isEmpty, isDraining || isTerminating else { return }
    if let command = commands.first(where: { !$0.value.isAnswered })?.key {
      complain("drain \(command.rawValue) is done but not answered")
    }
  }
}
