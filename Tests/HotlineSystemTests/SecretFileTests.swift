import Glibc
import TestSupport
import Testing

@testable import HotlineSystem

@Suite struct SecretFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func secret(_ text: String) throws -> Secret { try Secret(Array(text.utf8)) }

  private func content(_ path: String) -> String? {
    (try? SmallFile.read(path, bytesMax: 100).get()).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func aKeyIsStoredForItsOwnerAloneWithItsDirectories() throws {
    let path = directory("hotline/keys/one")
    let before = umask(0)
    defer { umask(before) }
    try SecretFile.store(try secret("sk-1"), at: path)
    #expect(content(path) == "sk-1\n")
    #expect(mode(of: path) == 0o600)
    #expect(mode(of: directory("hotline")) == 0o700)
    #expect(mode(of: directory("hotline/keys")) == 0o700)
    try SecretFile.store(try secret("sk-2"), at: path)
    #expect(content(path) == "sk-2\n")
    // A mode that was too wide is not kept.
    chmod(path, 0o644)
    try SecretFile.store(try secret("sk-3"), at: path)
    #expect(mode(of: path) == 0o600)
    #expect(try SecretSource.file(path).read()?.isSame(as: try secret("sk-3")) == true)
    #expect(listing(directory("hotline/keys")) == ["one"])
  }

  @Test func aLinkIsFollowed() throws {
    let path = try directory.write("real", Array("old".utf8))
    #expect(symlink(path, directory("link")) == 0)
    try SecretFile.store(try secret("sk-1"), at: directory("link"))
    #expect(content(path) == "sk-1\n")
    var status = stat()
    #expect(lstat(directory("link"), &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
  }

  @Test func whatCannotBeStoredLeavesWhatWasThere() throws {
    #expect(mkdir(directory("taken"), 0o700) == 0)
    for path in [directory("taken"), "/proc/none/key", "/dev/null/key"] {
      let error = #expect(throws: SecretFileError.self) {
        try SecretFile.store(try secret("sk-canary"), at: path)
      }
      #expect(error?.description.contains("canary") == false)
      #expect(error?.description.contains("the key that was there is unchanged") == true)
    }
    #expect(try directory.names() == ["taken"])
  }

  @Test func aPipeIsReadToItsEnd() throws {
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    #expect(write(ends[1], "sk-", 3) == 3)
    #expect(write(ends[1], "7\n", 2) == 2)
    close(ends[1])
    let read = try SecretInput.read(ends[0], prompt: "never shown")
    #expect(read.isSame(as: try secret("sk-7")))
    #expect(throws: KeyProblem.empty) { try SecretInput.read(ends[0], prompt: "") }
    close(ends[0])
  }

  private func listing(_ path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

@Suite struct PeerTests {
  @Test func theGroupsOfAPeerAreKnown() {
    let (left, right) = socketPair()
    defer {
      close(left)
      close(right)
    }
    let count = getgroups(0, nil)
    var own = [gid_t](repeating: 0, count: Int(count))
    _ = getgroups(count, &own)
    #expect(Set(PeerCredentials.groups(ofPeerAt: left)) == Set(own))
    #expect(PeerCredentials.groups(ofPeerAt: -1) == [])
  }

  @Test func descriptorsAreRaisedToTheMost() {
    var limit = rlimit()
    let most = ProcessLimits.raiseDescriptors()
    #expect(getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit) == 0)
    #expect(limit.rlim_cur == limit.rlim_max)
    #expect(most == Int(clamping: limit.rlim_cur))
  }

  @Test func declinedClientsAreToldAndNotWaitedFor() throws {
    let directory = try TemporaryDirectory()
    let listener = boundSocket(directory("s"))
    defer { close(listener) }
    let clients = DeclinedClients([listener])
    #expect(!clients.waitForClient(atMost: .zero))
    let first = connectingSocket(directory("s"))
    let second = connectingSocket(directory("s"))
    #expect(clients.waitForClient(atMost: .seconds(10)))
    #expect(send(first, "hello\n", 6, Int32(MSG_NOSIGNAL)) == 6)
    clients.decline { peer in Array("no, \(peer?.pid == getpid())\n".utf8) }
    #expect(readAll(first) == "no, true\n")
    #expect(readAll(second) == "no, true\n")
    #expect(readAll(first) == "", "that is the end")
    // It may still write, and is heard out.
    #expect(send(first, "x", 1, Int32(MSG_NOSIGNAL)) == 1)
    close(first)
    close(second)
    #expect(!clients.waitForClient(atMost: .milliseconds(1)))
  }
}
