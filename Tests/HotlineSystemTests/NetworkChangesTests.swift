import Glibc
import Synchronization
import Testing

@testable import HotlineSystem

@Suite struct NetworkChangesTests {
  /// A source that a test sets off by writing to a pipe.
  private struct Bell {
    let reading: Int32
    let writing: Int32

    init() {
      var ends: [Int32] = [-1, -1]
      #expect(pipe(&ends) == 0)
      (reading, writing) = (ends[0], ends[1])
      _ = fcntl(reading, F_SETFL, O_NONBLOCK)
    }

    func ring(_ text: String) {
      #expect(write(writing, text, text.utf8.count) == text.utf8.count)
    }

    /// `.` is no change, end of file the end of the source.
    var source: ChangeSource {
      ChangeSource(descriptor: reading) { [reading] in
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = Glibc.read(reading, &bytes, 16)
        guard count > 0 else { return .broken }
        return bytes[..<count].allSatisfy { $0 == UInt8(ascii: ".") } ? .unchanged : .changed
      }
    }

    /// Waits until the watch has closed the reading end.
    func awaitClosed() {
      var waiting = pollfd(fd: writing, events: 0, revents: 0)
      while poll(&waiting, 1, -1) < 0 {}
      #expect(waiting.revents & Int16(POLLERR) != 0)
      close(writing)
    }
  }

  private typealias Reports = AsyncStream<NetworkChanges.Change>

  private func watch(
    network: Bell? = nil, clock: Bell? = nil, interval: Duration,
    _ continuation: Reports.Continuation
  ) -> NetworkChanges {
    var opened: [NetworkChanges.Change: Result<ChangeSource, SystemCallError>] = [:]
    if let network { opened[.network] = .success(network.source) }
    if let clock { opened[.clockJump] = .success(clock.source) }
    var limits = NetworkChanges.Limits()
    limits.interval = interval
    return NetworkChanges(opened, limits: limits) { continuation.yield($0) }
  }

  @Test(.timeLimit(.minutes(10)))
  func aBurstIsReportedAtOnceAndOnceAgainAtItsEnd() async {
    let (stream, continuation) = Reports.makeStream()
    let (network, clock) = (Bell(), Bell())
    let interval = Duration.milliseconds(300)
    let start = MonotonicTime.now
    let changes = watch(network: network, clock: clock, interval: interval, continuation)
    #expect(changes.watched == [.network, .clockJump])
    var reports = stream.makeAsyncIterator()
    network.ring("!")
    #expect(await reports.next() == .network)
    network.ring(".!.!")
    #expect(await reports.next() == .network)
    #expect(MonotonicTime.now - start >= interval)
    network.ring(".")
    // Whatever else were reported would come before this.
    clock.ring("!")
    #expect(await reports.next() == .clockJump)
    changes.cancel()
    network.awaitClosed()
    clock.awaitClosed()
  }

  @Test(.timeLimit(.minutes(10)))
  func oneKindDoesNotHoldUpTheOther() async {
    let (stream, continuation) = Reports.makeStream()
    let (network, clock) = (Bell(), Bell())
    let changes = watch(network: network, clock: clock, interval: .seconds(3600), continuation)
    var reports = stream.makeAsyncIterator()
    network.ring("!")
    #expect(await reports.next() == .network)
    network.ring("!")
    clock.ring("!")
    #expect(await reports.next() == .clockJump)
    changes.cancel()
    changes.cancel()
    network.awaitClosed()
    clock.awaitClosed()
  }

  @Test(.timeLimit(.minutes(10)))
  func aSourceThatBreaksLeavesTheOtherToItsWork() async {
    let (stream, continuation) = Reports.makeStream()
    let (network, clock) = (Bell(), Bell())
    let changes = watch(network: network, clock: clock, interval: .zero, continuation)
    var reports = stream.makeAsyncIterator()
    close(network.writing)
    for _ in 0..<3 {
      clock.ring("!")
      #expect(await reports.next() == .clockJump)
    }
    changes.cancel()
    clock.awaitClosed()
  }

  @Test(.timeLimit(.minutes(10)))
  func theWatchEndsWithItsObject() {
    let (_, continuation) = Reports.makeStream()
    let network = Bell()
    var changes: NetworkChanges? = watch(network: network, interval: .zero, continuation)
    #expect(changes?.watched == [.network])
    changes = nil
    network.awaitClosed()
  }

  @Test func whatCannotBeWatchedIsSaidAndTheRestIsWatched() {
    let clock = Bell()
    let changes = NetworkChanges(
      [
        .network: .failure(SystemCallError("socket", EPERM)),
        .clockJump: .success(clock.source),
      ], limits: .init()
    ) { _ in }
    #expect(changes.failures == [.network: "socket: Operation not permitted"])
    #expect(changes.watched == [.clockJump])
    changes.cancel()
    clock.awaitClosed()
  }

  @Test func nothingToWatchNeedsNoThread() {
    let changes = NetworkChanges([:], limits: .init()) { _ in }
    #expect(changes.watched == [])
    changes.cancel()
  }

  @Test func thisMachineLetsTheClockBeWatched() {
    let changes = NetworkChanges { _ in }
    #expect(changes.watched.contains(.clockJump), "\(changes.failures)")
    changes.cancel()
  }

  // MARK: Pacing

  @Test func theFirstChangeIsReportedAtOnceTheRestAtTheIntervalsEnd() {
    var pacing = ReportPacing(.seconds(1))
    func changed(_ milliseconds: Int) -> Bool { pacing.changed(at: .milliseconds(milliseconds)) }
    func due(_ milliseconds: Int) -> Bool {
      pacing.deadlineReached(at: .milliseconds(milliseconds))
    }
    #expect(pacing.nextDeadline == nil)
    #expect(changed(10_000))
    #expect(pacing.nextDeadline == nil)
    #expect(!due(20_000))
    #expect(changed(11_000))
    #expect(!changed(11_000))
    #expect(!changed(11_999))
    #expect(pacing.nextDeadline == .seconds(12))
    #expect(!due(11_999))
    #expect(due(12_000))
    #expect(pacing.nextDeadline == nil)
    // The trailing report begins an interval, too.
    #expect(!changed(12_500))
    #expect(pacing.nextDeadline == .seconds(13))
    // A change that comes with the deadline is part of its report.
    #expect(changed(13_000))
    #expect(!due(13_000))
  }

  // MARK: Clocks

  @Test func onlyASetClockOrASleepIsAJump() {
    let before = ClockOffsets(wall: .seconds(1_000_000), slept: .seconds(50))
    func hasJumped(wall: Duration = .zero, slept: Duration = .zero) -> Bool {
      ClockOffsets(wall: before.wall + wall, slept: before.slept + slept)
        .hasJumped(since: before, least: .seconds(1))
    }
    #expect(!hasJumped())
    #expect(!hasJumped(wall: .milliseconds(999)))
    #expect(hasJumped(wall: .seconds(1)))
    #expect(!hasJumped(wall: .milliseconds(-999)))
    #expect(hasJumped(wall: .seconds(-1)))
    #expect(!hasJumped(slept: .milliseconds(999)))
    #expect(hasJumped(slept: .seconds(1)))
  }

  @Test func aJumpIsToldOnce() throws {
    let timer = try ClockJumpTimer(jumpMin: .seconds(1))
    defer { close(timer.descriptor) }
    #expect(timer.read() == .unchanged)
    var offsets = ClockOffsets.now
    #expect(!timer.moved(to: offsets))
    offsets.wall -= .seconds(3600)
    #expect(timer.moved(to: offsets))
    #expect(!timer.moved(to: offsets))
    offsets.slept += .seconds(5)
    offsets.wall += .seconds(5)
    #expect(timer.moved(to: offsets))
    #expect(!timer.moved(to: offsets))
  }

  @Test func aTimerThatIsGoneIsBroken() throws {
    let timer = try ClockJumpTimer(jumpMin: .seconds(1))
    let socket = try RouteSocket(entriesMax: 1)
    // Not closed but replaced: another test may open a descriptor at any time.
    let nothing = open("/", O_RDONLY | O_CLOEXEC)
    for descriptor in [timer.descriptor, socket.descriptor] {
      #expect(dup2(nothing, descriptor) == descriptor)
    }
    #expect(timer.read() == .broken)
    #expect(socket.read() == .broken)
    for descriptor in [nothing, timer.descriptor, socket.descriptor] { close(descriptor) }
  }
}
