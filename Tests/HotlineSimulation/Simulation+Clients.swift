import HotlineCore

/// What simulated local programs do.
extension Simulation {
  func connect(_ number: ClientNumber) {
    var uid: UInt32 = random.oneIn(40) ? 1001 : random.oneIn(10) ? 0 : 1000
    var isAllowed = false
    if scenario.client.othersCancel > 0, third.oneIn(6) {
      uid = 1001
      isAllowed = third.oneIn(2)
    }
    clients[number] = SimulatedClient(number: number, uid: uid, isAllowed: isAllowed)
    asked = .connection
    atHand = .line(number, answers: 0)
    let instant = instant
    feed("client \(number.rawValue) connects, uid \(uid)\(isAllowed ? ", allowed" : "")") {
      $0.clientConnected(number, uid: uid, isAllowed: isAllowed, at: instant)
    }
    if clients[number]?.isAccepted == true,
      clients.values.count(where: \.isAccepted) > scenario.limits.clientsMax
    {
      return complain("more clients than clients_max")
    }
    planFlood(by: number)
    scheduleAct(of: number)
  }

  private func planFlood(by number: ClientNumber) {
    let count = scenario.client.floods
    guard count > 0, second.oneIn(4), phase == .acting else { return }
    agenda.plan(.clientFloods(number, count), at: now + second.time(0, .seconds(4)))
  }

  func flood(by number: ClientNumber, _ count: Int) {
    guard isAble(number) else { return }
    for _ in 0..<count where isAble(number) { request(by: number) }
  }

  func repeatAtOnce(_ id: RequestID, by number: ClientNumber) {
    guard isAble(number), let client = clients[number] else { return }
    var spec = drawRequest(client)
    spec.id = id
    request(spec, by: number)
  }

  private func isAble(_ number: ClientNumber) -> Bool {
    guard phase == .acting, let client = clients[number] else { return false }
    return client.line == .open && client.isAccepted && !client.closeIsAsked
  }

  private func scheduleAct(of number: ClientNumber) {
    guard phase == .acting else { return }
    let pause = scenario.client.pause
    agenda.plan(.clientActs(number), at: now + pause / 4 + random.time(0, 2 * pause))
  }

  func act(_ number: ClientNumber) {
    guard isAble(number) else { return }
    let traits = scenario.client
    if random.chance(traits.hangsUp) {
      clients[number]?.line = .gone
      return clientIsClosed(number)
    }
    if random.chance(traits.halfCloses) { return halfClose(number) }
    if random.chance(traits.cancels) { cancel(by: number) }
    if random.chance(traits.controls) { control(by: number) }
    if random.chance(traits.stalls) {
      clients[number]?.isStalled = true
      agenda.plan(.clientGoesOn(number), at: now + random.time(.milliseconds(10), .seconds(60)))
    }
    if !random.oneIn(5) {
      for _ in 0...random.below(traits.requestsAtOnceMax) { request(by: number) }
    }
    scheduleAct(of: number)
  }

  func halfClose(_ number: ClientNumber) {
    clients[number]?.line = .halfClosed
    let instant = instant
    if !awaitsReload(number) {
      feed("client \(number.rawValue) shuts down its side") {
        $0.clientHalfClosed(number, at: instant)
      }
    }
    replace(number)
  }

  /// The local connection is gone, by its client's or by the driver's doing.
  func clientIsClosed(_ number: ClientNumber) {
    guard clients[number] != nil else { return }
    let wasHalfClosed = clients[number]?.line == .halfClosed
    for request in clients[number]?.open.values.sorted() ?? []
    where requests[request]?.spec.finishesOnHangup == false {
      requests[request]?.cancelIsAsked = true
    }
    memoryHeld -= clients[number]?.unreadBytes ?? 0
    clients[number] = nil
    servedClients[number] = nil
    commands = commands.filter { $0.value.client != number }
    reloadsAsked = reloadsAsked.filter { $0.value.client != number }
    let instant = instant
    feed("client \(number.rawValue) is gone") { $0.clientClosed(number, at: instant) }
    if !wasHalfClosed { replace(number) }
  }

  /// Another program comes in the place of one that left.
  private func replace(_ number: ClientNumber) {
    guard phase == .acting else { return }
    let next = ClientNumber(nextClient)
    nextClient += 1
    agenda.plan(.clientConnects(next), at: now + random.time(1000, scenario.client.pause * 3))
    if random.oneIn(8) {
      agenda.plan(.clientIsClosed(number), at: now + random.time(1000, .seconds(2)))
    }
  }

  // MARK: Lines

  private func request(by number: ClientNumber) {
    guard let client = clients[number], violation == nil, !isStopped else { return }
    request(drawRequest(client), by: number)
  }

  private func request(_ spec: NewRequest, by number: ClientNumber) {
    // The driver refuses what the configuration does not name.
    guard violation == nil, !isStopped, !scenario.isRemoved[spec.upstream.rawValue] else { return }
    // Now and then something else of this daemon holds the rest.
    let rest = random.oneIn(200) ? scenario.limits.memoryBytesMax + 1 : 0
    let lineBytes = 50 + second.below(1000)
    arriving = spec
    asked = .request(spec)
    memoryAtHand = max(rest, memoryHeld + lineBytes)
    let memoryHeld = memoryAtHand
    arrivingBytes = lineBytes
    atHand = .line(number, answers: 0)
    let instant = instant
    feed("client \(number.rawValue) asks \(describe(spec))") {
      $0.requestArrived(spec, from: number, memoryHeld: memoryHeld, at: instant)
    }
    arriving = nil
  }

  private func drawRequest(_ client: SimulatedClient) -> NewRequest {
    let traits = scenario.client
    let upstream = UpstreamIndex(random.below(scenario.upstreams.count))
    var spec = NewRequest(id: nil, upstream: upstream)
    if random.chance(traits.reusesIDs), !client.idsUsed.isEmpty {
      spec.id = random.pick(client.idsUsed)
    } else if random.oneIn(2) {
      nextResponse += 1
      let digits = ByteString("\(nextResponse)".utf8)
      spec.id = random.oneIn(2) ? .integer(digits) : .string(digits)
    }
    if random.chance(traits.conversations) {
      spec.conversation = random.pick(["alpha", "beta", "gamma"])
    }
    if random.chance(traits.chains), let latest = client.responses.last {
      let isLatest = !random.oneIn(5)
      spec.previousResponseID = isLatest ? latest : random.pick(client.responses)
      if random.oneIn(20) { spec.previousResponseID = "resp_never" }
    }
    spec.priority = random.oneIn(4) ? .batch : .interactive
    spec.events = random.pick([.all, .all, .all, .text, .final])
    spec.resendsUnanswered = random.oneIn(3)
    spec.finishesOnHangup = random.oneIn(4)
    if random.oneIn(5) { spec.waitTimeout = .nanoseconds(random.time(0, .seconds(10))) }
    if random.oneIn(5) {
      spec.timeout = .nanoseconds(
        min(random.time(0, .seconds(30)), scenario.limits.requestTimeout.nanoseconds))
    }
    spec.alternatives = scenario.drawAlternatives(to: upstream, &fourth)
    spec.isUnstored = seventh.chance(traits.unstored)
    if second.chance(traits.promptCacheKeys) { spec.promptCacheKey = second.pick(["k1", "k2"]) }
    return spec
  }

  private func cancel(by number: ClientNumber) {
    guard let client = clients[number], !client.idsUsed.isEmpty else { return }
    let id = random.pick(Array(client.idsUsed.suffix(4)))
    for _ in 0...(random.oneIn(3) ? 1 : 0) {
      let request = clients[number]?.open[id]
      if let request { requests[request]?.cancelIsAsked = true }
      asked = .cancel(id)
      atHand = .line(number, answers: 0)
      let instant = instant
      feed("client \(number.rawValue) cancels \(describe(id)) = \(describe(request))") {
        $0.cancelRequested(id, by: number, at: instant)
      }
    }
  }

  /// The client cancels what it has just been seen to send.
  func regret(_ request: RequestNumber) {
    guard let truth = requests[request], truth.isOpen, isAble(truth.client) else { return }
    requests[request]?.cancelIsAsked = true
    asked = .cancel(truth.id)
    atHand = .line(truth.client, answers: 0)
    let instant = instant
    feed("client \(truth.client.rawValue) regrets \(describe(request))") {
      $0.cancelRequested(truth.id, by: truth.client, at: instant)
    }
  }

  /// Somebody who looks at all open requests wants this one ended.
  func cancelOfAnother(_ request: RequestNumber) {
    let able = clients.keys.filter { isAble($0) }.sorted()
    guard let truth = requests[request], let asker = able.isEmpty ? nil : third.pick(able),
      let isStranger = clients[asker]?.isStranger
    else { return }
    let expected: HotlineError.Code? =
      isStranger ? .notAllowed : truth.isOpen ? nil : .unknownRequestID
    // Another request may have the name by now; the client itself may have left.
    let isNameTaken = open.contains { number in
      requests[number].map { $0.client == truth.client && $0.id == truth.id } ?? false
    }
    guard truth.isOpen || !isNameTaken else { return }
    if expected == nil { requests[request]?.isCancelledByAnother = true }
    var code: HotlineError.Code?
    let instant = instant
    feed("client \(asker.rawValue) cancels \(describe(request)) of another") { broker in
      do throws(HotlineError) {
        return try broker.cancelRequested(truth.id, of: truth.client, by: asker, at: instant)
      } catch {
        code = error.code
        return []
      }
    }
    if code != expected { complain("who cancels \(describe(request)) is told otherwise") }
    if expected == nil, requests[request]?.isOpen == true {
      complain("\(describe(request)) goes on though it was cancelled")
    }
  }

  private func control(by number: ClientNumber) {
    guard let client = clients[number], let id = client.idsUsed.last else { return }
    let responseID: ByteString? = random.oneIn(3) ? client.responses.last : nil
    let message = fifth.pick([ControlMessage.steer, .steer, .steer, .inject, .interrupt])
    asked = .control(message, id, responseID)
    atHand = .line(number, answers: 0)
    feed("client \(number.rawValue) steers \(describe(id))") {
      $0.controlArrived(message, for: id, responseID: responseID, from: number)
    }
  }
}
