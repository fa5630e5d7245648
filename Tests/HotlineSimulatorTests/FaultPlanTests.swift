import HotlineSimulator
import Testing

@Suite struct FaultPlanTests {
  @Test func faultsAreOrderedByTheirMoment() throws {
    let plan = try FaultPlan(parsing: "drop after 5, garbage, error x 500 after 2, odd")
    #expect(plan.faults.map(\.after) == [0, 0, 2, 5])
    #expect(plan.faults.map(\.fault) == [.garbage, .odd, .error(code: "x", status: 500), .drop])
  }

  @Test func numbersAndSwitchesAreRead() throws {
    let plan = try FaultPlan(
      parsing: "delay 1,gap 2,deltas 3,size 4,fragment 5,slow-bytes,pretty,once,late after terminal"
    )
    #expect(plan.delayMilliseconds == 1)
    #expect(plan.gapMilliseconds == 2)
    #expect(plan.deltas == 3)
    #expect(plan.deltaBytes == 4)
    #expect(plan.fragments == 5)
    #expect(plan.trickleBytes == 16)
    #expect(plan.isPretty)
    #expect(plan.isOnce)
    #expect(plan.isLateAfterTerminal)
    #expect(plan.ending == .completed)
    #expect(try FaultPlan(parsing: "failed").ending == .failed)
  }

  @Test func aCloseReasonFitsIntoAControlFrame() throws {
    let long = String(repeating: "ab ", count: 60)
    let plan = try FaultPlan(parsing: "close 4000 \(long)")
    guard case .close(4000, let reason) = plan.faults.first?.fault else {
      Issue.record("not a close")
      return
    }
    #expect(reason.utf8.count <= 123)
  }

  @Test(arguments: [
    ("oops", "oops"), ("delay", "delay"), ("delay -1", "-1"), ("giant 1073741825", "1073741825"),
    ("close 999", "999"), ("close 5000", "5000"), ("error", "error"), ("bad-frame x", "x"),
    ("drop after", "after"), ("drop after x", "x"),
  ])
  func whatIsNotUnderstoodIsNamed(text: String, word: String) {
    #expect {
      _ = try FaultPlan(parsing: text)
    } throws: {
      "\($0)".contains(word)
    }
  }

  @Test(arguments: ["close 1000", "close 4999", "giant 1073741824", "giant 0", ""])
  func limitsThemselvesAreAllowed(text: String) throws {
    _ = try FaultPlan(parsing: text)
  }
}

@Suite struct SimulatorBehaviourTests {
  @Test(arguments: [
    ("upgrade-status", "299"), ("upgrade-status", "600"), ("retry-after", "-1"),
    ("envelope", "round"), ("idle-close", "0"), ("idle-close", "86401"), ("greeting", "yes"),
    ("close-after-open", "999"), ("gap-ms", "fast"), ("fault", "oops"), ("nonsense", "1"),
    ("message-bytes-max", "0"),
  ])
  func valuesOutOfRangeAreRefusedByName(name: String, value: String) {
    var behaviour = SimulatorBehaviour()
    #expect {
      try behaviour.set(name, to: value)
    } throws: {
      "\($0)".contains(name == "fault" ? value : name)
    }
  }

  @Test func noneTakesASettingAway() throws {
    var behaviour = SimulatorBehaviour()
    try behaviour.set("upgrade-status", to: "503")
    #expect(behaviour.upgradeStatus == 503)
    try behaviour.set("upgrade-status", to: "none")
    #expect(behaviour.upgradeStatus == nil)
    try behaviour.set("age-close", to: "0.5")
    #expect(behaviour.ageClose == .milliseconds(500))
  }
}
