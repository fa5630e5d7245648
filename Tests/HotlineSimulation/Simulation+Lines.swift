import HotlineCore

/// What may be accepted, refused and closed of local clients.
extension Simulation {
  func accept(_ number: RequestNumber, _ madeID: ByteString?) {
    guard case .line(let client, let answers) = atHand, let spec = arriving, answers == 0,
      let uid = clients[client]?.uid
    else { return complain("accept, though no request's line is at hand") }
    atHand = .line(client, answers: 1)
    guard requests[number] == nil else { return complain("a request number is used twice") }
    guard (spec.id == nil) == (madeID != nil) else {
      return complain("an id is made for a request that has one, or none for one that has none")
    }
    guard let id = spec.id ?? madeID.map(RequestID.string) else { return }
    if clients[client]?.open[id] != nil { return complain("two open requests of one id") }
    if isTerminating || isDraining { return complain("a request is accepted while draining") }
    if scenario.isRemoved[spec.upstream.rawValue] {
      return complain("a request is accepted for an upstream that is no longer configured")
    }
    if memoryAtHand > scenario.limits.memoryBytesMax {
      return complain("a request is accepted while memory_max is exceeded")
    }
    let waiting = waitingCounts(at: spec.upstream)
    let timeout = spec.timeout ?? scenario.limits.requestTimeout
    let wait = spec.waitTimeout ?? scenario.limits.waitTimeout
    requests[number] = TrueRequest(
      number: number, client: client, uid: uid, id: id, spec: spec, arrivedAt: now,
      arrivedIn: step, deadline: now + timeout.nanoseconds, waitTimeout: wait.nanoseconds,
      position: waiting.lowerBound + 1...waiting.upperBound + 1)
    requests[number]?.noticeAt = now + scenario.limits.queuedNoticeAfter.nanoseconds
    requests[number]?.lineBytes = arrivingBytes
    memoryHeld += arrivingBytes
    open.insert(number)
    clients[client]?.open[id] = number
    clients[client]?.idsUsed.append(id)
    let key = conversationKey(of: number)
    if let key { conversationTurns[key, default: []].append(number) }
    if key.flatMap({ conversationTurns[$0]?.first }) ?? number == number { turnComes(of: number) }
    if !spec.alternatives.isEmpty, let upstream = broker.upstream(of: number) {
      noteFailover(of: number, to: upstream)
    }
    if (clients[client]?.open.count ?? 0) > scenario.limits.requestsPerClientMax {
      return complain("a client has more open requests than it may")
    }
    dials[spec.upstream.rawValue].lastRequestAt = now
    if third.chance(scenario.client.othersCancel) {
      agenda.plan(.otherCancels(number), at: now + third.time(1000, .seconds(2)))
    }
    tally.accepted += 1
  }

  /// From now on only the lack of a connection holds a request back.
  func turnComes(of number: RequestNumber) {
    guard let request = requests[number] else { return }
    let limits = scenario.upstreams[request.spec.upstream.rawValue].limits
    let suited = suitable(request)
    requests[number]?.turnAt = now
    requests[number]?.suited = suited
    requests[number]?.isRemembered = isRemembered(request)
    requests[number]?.patience = limits.patience.nanoseconds
  }

  func conversationKey(of number: RequestNumber) -> ConversationKey? {
    guard let request = requests[number] else { return nil }
    return request.spec.conversation.map {
      ConversationKey(uid: request.uid, upstream: request.spec.upstream, name: $0)
    }
  }

  func checkCloseClient(_ number: ClientNumber) {
    guard let client = clients[number] else { return complain("a client is closed that is gone") }
    if client.closeIsAsked { return complain("client \(number.rawValue) is closed twice") }
    guard client.isAccepted else { return }
    let isWaiting = commands.values.contains { $0.client == number && !$0.isAnswered }
    if client.line != .halfClosed || !client.open.isEmpty || isWaiting {
      complain("client \(number.rawValue) is closed while it may still get something")
    }
  }
}
