import Glibc
import Synchronization
import TestSupport
import Testing

@testable import HotlineSystem

/// These share the process's environment and signals, hence one after the other.
@Suite(.serialized) struct ServiceTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func theServiceManagerHearsEveryState() {
    let path = directory.path + "/notify"
    let socket = boundSocket(path, SOCK_DGRAM)
    defer { close(socket) }
    setenv("NOTIFY_SOCKET", path, 1)
    defer { unsetenv("NOTIFY_SOCKET") }
    let notifier = ServiceNotifier()
    #expect(notifier.isEnabled)
    notifier.ready()
    #expect(readAll(socket) == "READY=1")
    notifier.ready(status: "2 connections")
    #expect(readAll(socket) == "READY=1\nSTATUS=2 connections")
    notifier.status("x\nMAINPID=1")
    #expect(readAll(socket) == "STATUS=x\\x0AMAINPID=1")
    notifier.stopping(status: "bye")
    #expect(readAll(socket) == "STOPPING=1\nSTATUS=bye")
    notifier.watchdog()
    #expect(readAll(socket) == "WATCHDOG=1")
    notifier.extendTimeout(by: .milliseconds(1500))
    #expect(readAll(socket) == "EXTEND_TIMEOUT_USEC=1500000")
    notifier.extendTimeout(by: .seconds(-1))
    #expect(readAll(socket) == "EXTEND_TIMEOUT_USEC=0")
    notifier.reloading()
    let reloading = readAll(socket).split(separator: "\n")
    #expect(reloading.first == "RELOADING=1")
    #expect(reloading.last?.hasPrefix("MONOTONIC_USEC=") == true)
    #expect(Int64(reloading.last?.dropFirst("MONOTONIC_USEC=".count) ?? "") ?? 0 > 0)
  }

  @Test func withoutAServiceManagerNothingHappens() {
    unsetenv("NOTIFY_SOCKET")
    #expect(!ServiceNotifier().isEnabled)
    ServiceNotifier().ready(status: "unheard")
    setenv("NOTIFY_SOCKET", directory.path + "/nobody", 1)
    ServiceNotifier().stopping()
    unsetenv("NOTIFY_SOCKET")
  }

  @Test func theWatchdogIsTheServiceManagersWish() {
    #expect(ServiceNotifier().watchdogTimeout == nil)
    setenv("WATCHDOG_USEC", "3000000", 1)
    setenv("WATCHDOG_PID", "\(getpid())", 1)
    #expect(ServiceNotifier().watchdogTimeout == .seconds(3))
    setenv("WATCHDOG_PID", "1", 1)
    #expect(ServiceNotifier().watchdogTimeout == nil)
    unsetenv("WATCHDOG_USEC")
    unsetenv("WATCHDOG_PID")
  }

  @Test func withoutActivationNoSocketIsTaken() throws {
    unsetenv("LISTEN_FDS")
    #expect(try SocketActivation.take() == [])
    setenv("LISTEN_FDS", "1", 1)
    setenv("LISTEN_PID", "1", 1)
    #expect(try SocketActivation.take() == [])
    setenv("LISTEN_FDS", "many", 1)
    setenv("LISTEN_PID", "\(getpid())", 1)
    #expect(throws: SocketActivationError.self) { try SocketActivation.take() }
    #expect(getenv("LISTEN_FDS") == nil)
  }

  @Test func onlyListeningUnixStreamsAreTaken() throws {
    let listening = boundSocket(directory.path + "/a")
    try SocketActivation.check(PassedSocket(descriptor: listening, name: "x"))
    let datagram = boundSocket(directory.path + "/b", SOCK_DGRAM)
    let (left, right) = socketPair()
    let network = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    listen(network, 1)
    for descriptor in [datagram, left, network, -1] {
      let passed = PassedSocket(descriptor: descriptor, name: "x\n")
      let error = SocketActivationError.wrongKind(descriptor: descriptor, name: "x\n")
      #expect(throws: error) { try SocketActivation.check(passed) }
      #expect(error.description.contains("\"x\\x0A\""))
    }
    for descriptor in [listening, datagram, left, right, network] { close(descriptor) }
  }

  @Test(.timeLimit(.minutes(10)))
  func everySignalIsDelivered() throws {
    let signals = try TerminationSignals()
    #expect(signals.received() == [])
    for signal in TerminationSignals.Signal.allCases + [.terminate] {
      kill(getpid(), signal.number)
      // Another thread may have been the one to take it.
      var waiting = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
      while poll(&waiting, 1, -1) < 0, errno == EINTR {}
      #expect(signals.received() == [signal])
    }
    // SIGPIPE would have ended this process.
    let (left, right) = socketPair()
    close(right)
    #expect(write(left, "x", 1) == -1)
    #expect(errno == EPIPE)
    close(left)
    signals.cancel()
  }

  @Test func thePeerIsThisProcess() {
    let (left, right) = socketPair()
    defer {
      close(left)
      close(right)
    }
    let peer = PeerCredentials.of(descriptor: left)
    #expect(peer == PeerCredentials(pid: getpid(), uid: getuid(), gid: getgid()))
    #expect(PeerCredentials.of(descriptor: -1) == nil)
    let name = PeerCredentials.commandName(ofProcess: getpid())
    #expect(name?.isEmpty == false)
    #expect(name?.contains("\n") == false)
    for pid in [0, -1, Int32.max] { #expect(PeerCredentials.commandName(ofProcess: pid) == nil) }
  }
}
