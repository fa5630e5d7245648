import Glibc
import Testing

@testable import HotlineSystem

/// The kernel's own messages, in a network of the test's own.
///
/// Root in a container often may not have one.
@Suite(.enabled("needs a network namespace (CAP_SYS_ADMIN)", { OwnNetwork.isAllowed }))
struct NetworkNamespaceTests {
  @Test(.timeLimit(.minutes(10)))
  func linksAddressesAndRoutesAreToldOf() async {
    let (lines, line) = AsyncStream.makeStream(of: String.self)
    // The namespace is the thread's: what it opens lives there, and it ends with both.
    Thread.run {
      defer { line.finish() }
      do throws(SystemCallError) {
        try OwnNetwork.enter()
        let socket = try RouteSocket(entriesMax: 100)
        defer { close(socket.descriptor) }
        for step in OwnNetwork.steps {
          OwnNetwork.settle(socket)
          try step.make()
          line.yield("\(step.name): \(socket.read())")
        }
      } catch {
        line.yield(error.description)
      }
    }
    var read: [String] = []
    for await line in lines { read.append(line) }
    #expect(
      read == [
        "link up: changed", "link up once more: unchanged", "address added: changed",
        "link down: changed", "link up again: changed", "address removed: changed",
      ])
  }

  @Test(.timeLimit(.minutes(10)))
  func aChangeOfTheNetworkIsReported() async {
    let (watches, watch) = AsyncStream.makeStream(of: NetworkChanges.self)
    let (reports, report) = AsyncStream.makeStream(of: NetworkChanges.Change.self)
    Thread.run {
      defer { watch.finish() }
      do throws(SystemCallError) {
        try OwnNetwork.enter()
        watch.yield(NetworkChanges { report.yield($0) })
        for step in OwnNetwork.steps.prefix(1) { try step.make() }
      } catch {
        Issue.record(error)
        report.finish()
      }
    }
    var watched = watches.makeAsyncIterator()
    var reported = reports.makeAsyncIterator()
    let changes = await watched.next()
    #expect(changes?.failures == [:])
    #expect(await reported.next() == .network)
    changes?.cancel()
  }
}

private enum Thread {
  /// Runs `body` on a thread of its own.
  static func run(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, Unmanaged.passRetained(Box(body)).toOpaque())
    #expect(result == 0)
    pthread_detach(thread)
  }
}

private enum OwnNetwork {
  /// Whether a thread, which ends with the answer, may enter one.
  static var isAllowed: Bool {
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { _ in
        do throws(SystemCallError) {
          try OwnNetwork.enter()
          return UnsafeMutableRawPointer(bitPattern: 1)
        } catch {
          return nil
        }
      }, nil)
    guard result == 0 else { return false }
    var answer: UnsafeMutableRawPointer?
    pthread_join(thread, &answer)
    return answer != nil
  }

  /// unshare(2), which Swift's Glibc module lacks, with CLONE_NEWNET.
  static func enter() throws(SystemCallError) {
    guard let symbol = dlsym(nil, "unshare") else { throw SystemCallError("dlsym", ENOSYS) }
    typealias Unshare = @convention(c) (Int32) -> Int32
    guard unsafeBitCast(symbol, to: Unshare.self)(0x4000_0000) == 0 else {
      throw SystemCallError("unshare")
    }
  }

  struct Step: Sendable {
    let name: String
    /// One of netdevice(7): SIOCSIFFLAGS or SIOCSIFADDR.
    let number: UInt
    /// The flags, or the last byte of the address.
    let value: UInt8

    /// What the kernel has to say of it, it has said when this returns.
    func make() throws(SystemCallError) {
      let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
      defer { close(descriptor) }
      // `struct ifreq`: the name; then flags, or `struct sockaddr_in`.
      var bytes = [UInt8](repeating: 0, count: 40)
      bytes.replaceSubrange(0..<2, with: "lo".utf8)
      if number == Step.setFlags {
        bytes[16] = value
      } else {
        withUnsafeBytes(of: UInt16(AF_INET)) { bytes.replaceSubrange(16..<18, with: $0) }
        if value > 0 { bytes.replaceSubrange(20..<24, with: [127, 0, 0, value]) }
      }
      guard ioctl(descriptor, number, &bytes) == 0 else { throw SystemCallError(name) }
    }

    static let setFlags: UInt = 0x8914
    static let setAddress: UInt = 0x8916
  }

  static let steps = [
    Step(name: "link up", number: Step.setFlags, value: 1),
    Step(name: "link up once more", number: Step.setFlags, value: 1),
    Step(name: "address added", number: Step.setAddress, value: 5),
    Step(name: "link down", number: Step.setFlags, value: 0),
    Step(name: "link up again", number: Step.setFlags, value: 1),
    Step(name: "address removed", number: Step.setAddress, value: 0),
  ]

  /// Takes what the kernel says late of the step before.
  static func settle(_ socket: RouteSocket) {
    usleep(100_000)
    while socket.read() == .changed {}
  }
}
