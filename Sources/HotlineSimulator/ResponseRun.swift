import NIOCore

/// A response while it is being sent. Confined to its connection's loop.
final class ResponseRun {
  let plan: FaultPlan
  /// What it was made with; a response that follows it in its place inherits them.
  let parameters: ResponseParameters
  /// The input of each message that it took and that another response is to have, by its id, and as
  /// it came.
  var steers: [(id: String, input: String, returned: String?)] = []
  var script: ResponseScript
  /// Events sent, those that a fault put in between not counted.
  var eventsSent = 0
  /// Faults that have happened.
  var faultsDone = 0
  /// The wait for the next event is over.
  var hasWaited = false
  /// The wait for the next event, while there is one.
  var timer: Scheduled<Void>?
  /// Nothing more is sent of its own accord.
  var isSilent = false
  let gap: TimeAmount
  let firstDelta: TimeAmount

  init(
    script: ResponseScript, plan: FaultPlan, behaviour: SimulatorBehaviour,
    parameters: ResponseParameters
  ) {
    self.script = script
    self.plan = plan
    self.parameters = parameters
    gap = plan.gapMilliseconds.map { .milliseconds(Int64($0)) } ?? TimeAmount(behaviour.gap)
    firstDelta = TimeAmount(behaviour.firstDelta)
  }

  /// The fault whose moment has come, once.
  func nextFault() -> Fault? {
    guard faultsDone < plan.faults.count, plan.faults[faultsDone].after <= eventsSent else {
      return nil
    }
    defer { faultsDone += 1 }
    return plan.faults[faultsDone].fault
  }

  /// How long to wait before the next event, zero if that wait is over.
  var wait: TimeAmount {
    if hasWaited { return .zero }
    if eventsSent == 0 { return .milliseconds(Int64(plan.delayMilliseconds ?? 0)) }
    switch script.nextDelta {
    case 0: return firstDelta
    case .some: return gap
    case nil: return .zero
    }
  }
}
