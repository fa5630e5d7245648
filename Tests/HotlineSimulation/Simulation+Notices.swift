import HotlineCore

/// `hotline.queued`: when, where in the line, and why.
extension Simulation {
  func notifyQueued(_ number: RequestNumber, _ position: Int, _ reason: QueuedReason) {
    guard let request = requests[number], request.isOpen else {
      return complain("hotline.queued for no open request")
    }
    requests[number]?.isNoticed = true
    if request.isNoticed { return complain("a second hotline.queued") }
    if now < request.noticeAt {
      return complain("hotline.queued too early")
    }
    if isRunning(request) { return complain("hotline.queued for a request that runs") }
    if !request.position.contains(position) {
      return complain("hotline.queued says \(position), it was \(request.position)")
    }
    checkReason(reason, of: request)
  }

  /// What has waited for that long is told so.
  func checkNotice(of request: TrueRequest) {
    guard !request.isNoticed, !isRunning(request) else { return }
    guard request.attempts.isEmpty || request.waitsAgainSince != nil else { return }
    if request.noticeAt <= now {
      let again = request.attempts.isEmpty ? "" : " again"
      complain("\(describe(request.number)) waits\(again) without hotline.queued")
    }
  }

  private func checkReason(_ reason: QueuedReason, of request: TrueRequest) {
    // It may have been told where it waited before.
    if movedInStep.contains(where: { $0.0 == request.number }) { return }
    let own = present.compactMap { connections[$0] }.filter { $0.upstream == request.spec.upstream }
    let isOpen = own.contains(where: \.isOpenToCore)
    let isReady = own.contains { $0.isOpenToCore && !$0.mayBeRetiring }
    let isTrue: Bool
    if isHeld(request.spec.upstream.rawValue), let turnAt = request.turnAt, turnAt < now {
      if reason != .rateLimit {
        complain("\(describe(request.number)) waits for a limit's reset, not \(reason.rawValue)")
      }
      return
    }
    switch reason {
    case .order: isTrue = request.turnAt ?? now == now
    case .busy: isTrue = request.turnAt != nil && isOpen
    // A dial may begin in this very step.
    case .connecting: isTrue = request.turnAt != nil && !isReady
    case .backoff: isTrue = request.turnAt != nil && !isReady
    case .rateLimit:
      isTrue =
        request.turnAt != nil && !isReady && dials[request.spec.upstream.rawValue].lastStatus == 429
    }
    if !isTrue {
      complain("\(describe(request.number)) waits for another reason than \(reason.rawValue)")
    }
  }
}
