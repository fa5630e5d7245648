import Glibc
import TestSupport
import Testing

@testable import HotlineSystem

private func problem(_ path: String) -> SocketPathError? {
  do throws(SocketPathError) {
    _ = try SocketPath.bind(path)
    return nil
  } catch {
    return error
  }
}

@Suite struct SocketPathTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func aSocketIsMadeServedAndRemoved() throws {
    let path = directory.path + "/new/deep/hotline.sock"
    let socket = try SocketPath.bind(path)
    #expect(canConnect(path))
    #expect(mode(of: path) == 0o600)
    #expect(mode(of: directory.path + "/new") == 0o700)
    #expect(mode(of: directory.path + "/new/deep") == 0o700)
    #expect(mode(of: path + ".lock") == 0o600)
    #expect(fcntl(socket.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    socket.remove()
    close(socket.descriptor)
    #expect(access(path, F_OK) != 0)
    #expect(access(path + ".lock", F_OK) != 0)
  }

  @Test func theModeDoesNotDependOnTheUmask() throws {
    // A umask only takes away: with the usual one the kernel's default would be 0755.
    let path = directory.path + "/s"
    let socket = try SocketPath.bind(path)
    defer { close(socket.descriptor) }
    #expect(mode(of: path) == 0o600)
    socket.remove()
  }

  @Test func aSecondDaemonIsToldWhoHoldsTheSocket() throws {
    let path = directory.path + "/s"
    let socket = try SocketPath.bind(path)
    #expect(problem(path) == .inUse(path: path, pid: getpid()))
    #expect(canConnect(path))
    socket.remove()
    close(socket.descriptor)
    let next = try SocketPath.bind(path)
    #expect(canConnect(path))
    next.remove()
    close(next.descriptor)
  }

  @Test func theSocketOfADeadDaemonIsReplaced() throws {
    let path = directory.path + "/s"
    close(boundSocket(path))
    #expect(!canConnect(path))
    let socket = try SocketPath.bind(path)
    defer { close(socket.descriptor) }
    #expect(canConnect(path))
    socket.remove()
  }

  @Test(arguments: [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET].map(\.rawValue))
  func aLiveSocketIsNeverStolen(_ type: UInt32) throws {
    let path = directory.path + "/s"
    let other = boundSocket(path, __socket_type(rawValue: type))
    if type == SOCK_SEQPACKET.rawValue { listen(other, 1) }
    defer { close(other) }
    #expect(problem(path) == .inUse(path: path, pid: nil))
    #expect(try directory.names() == ["s"])
  }

  @Test func aSocketWithAFullBacklogIsAlive() {
    let path = directory.path + "/s"
    let other = boundSocket(path)
    defer { close(other) }
    // listen(2) with a backlog of 5 takes six; the next one gets EAGAIN.
    let clients = (0..<6).map { _ in connectingSocket(path) }
    defer { clients.forEach { close($0) } }
    #expect(problem(path) == .inUse(path: path, pid: nil))
  }

  @Test func otherFilesAreNotTouched() throws {
    let file = try directory.write("s", [1])
    #expect(problem(file) == .notASocket(path: file))
    #expect(symlink("/nonexistent", directory.path + "/link") == 0)
    #expect(problem(directory.path + "/link") == .notASocket(path: directory.path + "/link"))
    #expect(try directory.names() == ["link", "s"])
  }

  @Test func onlyItsOwnSocketIsRemoved() throws {
    let path = directory.path + "/s"
    let socket = try SocketPath.bind(path)
    defer { close(socket.descriptor) }
    unlink(path)
    let other = boundSocket(path)
    defer { close(other) }
    socket.remove()
    #expect(canConnect(path))
  }

  @Test func aPathMayHaveAsManyBytesAsTheKernelTakes() throws {
    let stem = directory.path + "/"
    let edge = stem + String(repeating: "x", count: 107 - stem.utf8.count)
    let socket = try SocketPath.bind(edge)
    #expect(canConnect(edge))
    socket.remove()
    close(socket.descriptor)
    #expect(problem(edge + "x") == .tooLong(path: edge + "x", bytes: 108))
    #expect(problem("") == .invalid)
    #expect(problem("a\0b") == .invalid)
  }

  @Test func aDirectoryThatOthersMayChangeIsRefused() throws {
    chmod(directory.path, 0o707)
    let found = problem(directory.path + "/s")
    #expect(found == .openDirectory(directory: directory.path))
    #expect(found?.description.contains("chmod o-w \(directory.path)") == true)
    chmod(directory.path, 0o1777)
    let socket = try SocketPath.bind(directory.path + "/s")
    socket.remove()
    close(socket.descriptor)
  }

  @Test(.enabled(if: geteuid() == 0, "only root can give a directory away"))
  func aDirectoryOfSomebodyElseIsRefused() {
    chown(directory.path, 12345, 12345)
    let found = problem(directory.path + "/s")
    #expect(found == .foreignDirectory(directory: directory.path, owner: 12345))
    #expect(found?.description.contains("belongs to uid 12345") == true)
    chown(directory.path, 0, 0)
  }

  @Test func aParentThatIsNoDirectoryIsNamed() throws {
    let file = try directory.write("f", [])
    #expect(
      problem(file + "/s")?.description == "cannot use \(file): Not a directory")
  }

  @Test func theParentOfAPathIsFound() {
    #expect(SocketDirectory.parent(of: "/a/b") == "/a")
    #expect(SocketDirectory.parent(of: "/a") == "/")
    #expect(SocketDirectory.parent(of: "a") == ".")
  }
}
