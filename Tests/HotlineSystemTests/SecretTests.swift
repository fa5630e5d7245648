import Glibc
import TestSupport
import Testing

@testable import HotlineSystem

private func text(_ secret: Secret?) -> String? {
  secret?.withBytes { span in String(decoding: span.indices.map { span[$0] }, as: UTF8.self) }
}

private func problem(_ source: SecretSource) -> KeyProblem? {
  do throws(KeyProblem) {
    _ = try source.read()
    return nil
  } catch {
    return error
  }
}

@Suite struct SecretTests {
  @Test(arguments: [
    ("sk-1", "sk-1"), ("sk-1\n", "sk-1"), ("sk-1 \t\r\n\n", "sk-1"), ("!~", "!~"),
  ])
  func whiteSpaceAtTheEndIsLeftOff(_ content: String, _ key: String) throws {
    #expect(text(try Secret(Array(content.utf8))) == key)
  }

  @Test(arguments: [
    ([], KeyProblem.empty), (Array(" \n".utf8), .empty), (Array("a b".utf8), .innerWhiteSpace),
    (Array(" a".utf8), .innerWhiteSpace), (Array("a\nb".utf8), .innerWhiteSpace),
    (Array("a\0b".utf8), .notVisibleASCII), ([0x61, 0x7F], .notVisibleASCII),
    ([0xEF, 0xBB, 0xBF, 0x61], .notVisibleASCII), ([0x1B, 0x61], .notVisibleASCII),
  ])
  func whatIsNoKeyIsRefused(_ content: [UInt8], _ expected: KeyProblem) {
    #expect(throws: expected) { try Secret(content) }
  }

  @Test func theLengthIsLimited() throws {
    let edge = [UInt8](repeating: 0x61, count: Secret.bytesMax)
    #expect(text(try Secret(edge))?.count == Secret.bytesMax)
    #expect(throws: KeyProblem.tooLong(bytesMax: 8192)) { try Secret(edge + [0x61]) }
  }

  @Test func aSecretCannotBePrinted() throws {
    let secret = try Secret(Array("sk-very-secret-canary".utf8))
    var dumped = ""
    dump(secret, to: &dumped)
    dump([secret as Secret?], to: &dumped)
    let all = "\(secret) \(String(reflecting: secret)) \([secret]) \(dumped)"
    #expect(!all.contains("canary"))
    #expect("\(secret)" == "<secret>")
    #expect(Array(Mirror(reflecting: secret).children).isEmpty)
  }

  @Test func onlyLongKeysShowTheirLastFour() throws {
    #expect(try Secret(Array("0123456789abcdef".utf8)).lastFour == "cdef")
    #expect(try Secret(Array("123456789abcdef".utf8)).lastFour == "")
  }

  @Test func keysAreComparedWhole() throws {
    let key = try Secret(Array("abc".utf8))
    #expect(key.isSame(as: try Secret(Array("abc\n".utf8))))
    #expect(!key.isSame(as: try Secret(Array("abd".utf8))))
    #expect(!key.isSame(as: try Secret(Array("abcd".utf8))))
  }
}

@Suite struct SecretSourceTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: [0o600, 0o400, 0o700] as [mode_t])
  func aPrivateFileIsRead(_ mode: mode_t) throws {
    let path = try directory.write("key", Array("sk-1\n".utf8), mode: mode)
    #expect(text(try SecretSource.file(path).read()) == "sk-1")
  }

  @Test(arguments: [0o640, 0o604, 0o620, 0o602, 0o610, 0o601] as [mode_t])
  func aFileOpenToOthersIsRefusedWithTheRemedy(_ mode: mode_t) throws {
    let path = try directory.write("key", Array("sk-canary".utf8), mode: mode)
    let found = problem(.file(path))
    #expect(found == .readableByOthers(path: path))
    #expect(found?.explanation == "group or others can read the key; run: chmod 600 \(path)")
    #expect(text(try SecretSource.credential(path).read()) == "sk-canary")
  }

  @Test func whatIsNoRegularFileIsRefused() {
    let fifo = directory.path + "/fifo"
    #expect(mkfifo(fifo, 0o600) == 0)
    let socket = boundSocket(directory.path + "/socket")
    defer { close(socket) }
    for path in [fifo, directory.path, "/dev/null", directory.path + "/socket"] {
      #expect(problem(.file(path)) == .file(.notRegular), "\(path)")
    }
  }

  @Test func whatIsMissingIsNoKeyAndNoProblem() throws {
    for path in ["/nonexistent/key", "/dev/null/key", "/tmp/a\0b", ""] {
      #expect(try SecretSource.file(path).read() == nil as Secret?)
    }
    #expect(try SecretSource.environment("HOTLINE_TEST_NOT_SET").read() == nil as Secret?)
  }

  @Test func theSizeIsLimited() throws {
    let edge = [UInt8](repeating: 0x61, count: Secret.bytesMax)
    #expect(text(try SecretSource.file(directory.write("edge", edge)).read())?.count == edge.count)
    let over = try directory.write("over", edge + [0x0A])
    #expect(problem(.file(over)) == .tooLong(bytesMax: 8192))
    #expect(try problem(.file(directory.write("empty", []))) == .empty)
  }

  @Test func aVariableIsRead() throws {
    setenv("HOTLINE_TEST_KEY", "sk-2", 1)
    #expect(text(try SecretSource.environment("HOTLINE_TEST_KEY").read()) == "sk-2")
    setenv("HOTLINE_TEST_KEY", "", 1)
    #expect(try SecretSource.environment("HOTLINE_TEST_KEY").read() == nil as Secret?)
    unsetenv("HOTLINE_TEST_KEY")
  }

  @Test func smallFilesAreReadWhole() throws {
    let path = try directory.write("small", [1, 2, 3])
    #expect(SmallFile.read(path, bytesMax: 3) == .success([1, 2, 3]))
    #expect(SmallFile.read(path, bytesMax: 2) == .failure(.tooLarge(bytesMax: 2)))
    #expect(SmallFile.read(path + "x", bytesMax: 2) == .failure(.missing))
    #expect(SmallFile.read(directory.path, bytesMax: 2) == .failure(.notRegular))
    #expect(try SmallFile.read(directory.write("none", []), bytesMax: 0) == .success([]))
  }
}

private func == (left: Secret?, right: Secret?) -> Bool { left === right }
