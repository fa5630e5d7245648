import Foundation
import Glibc
import TestSupport
import Testing

@testable import hotline

/// `send --resume`: going on with a file of results.
@Suite struct ResumeTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private static let results =
    #"{"request_id":"a","outcome":"completed","text":"x"}"# + "\n"
    + #"{"request_id":"b","outcome":"error","text":""}"# + "\n"
    + #"{"request_id":3,"outcome":"incomplete","text":"x"}"# + "\n"
    + Lines.done("completed", id: "d") + "\n"

  private func requests() throws -> String {
    let ids = [#""\u0061""#, #""b""#, "3", #""3""#, #""d""#]
    return try directory.write(
      "requests", ids.map { #"{"type":"response.create","request_id":\#($0)}"# + "\n" }.joined())
  }

  @Test func whatCompletedIsNotSentAgain() throws {
    let daemon = FakeDaemon { client in
      #expect(client.readLine() == #"{"type":"response.create","request_id":"b"}"#)
      #expect(client.readLine() == #"{"type":"response.create","request_id":"3"}"#)
      client.send(Lines.done("completed", id: "b"), Lines.done("completed", id: "3"))
      #expect(client.readToEnd() == [])
    }
    let path = try directory.write("results", Self.results)
    let ending = Program(
      "send", "--jobs", "4", "--resume", path, try requests(), socket: daemon.path
    ).finish()
    #expect(ending.status == 0)
    #expect(ending.output.split(separator: "\n").count == 2)
    #expect(daemon.finish())
  }

  @Test func unfinishedLastLineOfTheOutputIsCutOff() throws {
    let path = try directory.write("results", Self.results + #"{"request_id":"b","outco"#)
    let output = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    defer { close(output) }
    #expect(try ResumeFile.finished(in: path, output: output).count == 3)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == Self.results)
    // Nor does it count, though it could be read.
    try Data((Self.results + #"{"request_id":"b","outcome":"completed"}"#).utf8)
      .write(to: URL(filePath: path))
    #expect(try ResumeFile.finished(in: path, output: output).count == 3)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == Self.results)
    // A file that is only read stays as it is.
    let other = try directory.write("other", Self.results + "{")
    #expect(try ResumeFile.finished(in: other, output: output).count == 3)
    #expect(try String(contentsOfFile: other, encoding: .utf8).hasSuffix("{"))
  }

  @Test func outputThatWouldBeOverwrittenIsRefused() throws {
    let path = try directory.write("results", Self.results)
    let output = open(path, O_WRONLY | O_CLOEXEC)
    defer { close(output) }
    let error = #expect(throws: CommandFailure.self) {
      try ResumeFile.finished(in: path, output: output)
    }
    #expect(error?.status == .usage)
    #expect(error?.sentence?.contains("append to it with >>") == true)
  }

  @Test func fileThatIsNotThereIsAUsageError() throws {
    let ending = Program(
      "send", "--jobs", "1", "--resume", "/nowhere/x", try requests(), socket: "/nowhere"
    ).finish()
    #expect(ending.status == 2)
    #expect(ending.error.contains("cannot open /nowhere/x"))
  }
}
