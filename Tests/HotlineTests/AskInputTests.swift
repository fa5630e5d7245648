import Foundation
import TestSupport
import Testing

/// What `ask` makes of files, pictures, a schema and the options of delivery.
@Suite struct AskInputTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  /// The request that `ask` sends with those options.
  private func request(_ options: String...) throws -> JSON {
    let line = Captured()
    let daemon = FakeDaemon { client in
      line.text = client.readLine() ?? ""
      client.send(Lines.done("completed"))
    }
    let ending = Program(arguments: ["ask", "hi"] + options, socket: daemon.path).finish()
    #expect(ending.status == 0, "\(ending)")
    #expect(daemon.finish())
    return try JSON(parsing: line.text)
  }

  private final class Captured: @unchecked Sendable {
    var text = ""
  }

  private func content(_ request: JSON) -> [JSON] {
    request.response.input.array.first?.content.array ?? []
  }

  @Test func optionsOfDeliveryGoToTheDaemon() throws {
    let request = try request("--batch", "--tag", "nightly")
    #expect(request.hotline.priority.string == "batch")
    #expect(request.hotline.tag.string == "nightly")
  }

  @Test func textOfAFileStandsBehindTheQuestionWithItsName() throws {
    let path = try directory.write("notes.txt", "one\né\n")
    let parts = content(try request("--file", path))
    #expect(parts.map(\.type.string) == ["input_text", "input_text"])
    #expect(parts.last?.text.string == "File notes.txt:\n\none\né\n")
  }

  @Test func documentGoesAsAFileAndAPictureAsAPicture() throws {
    let pdf = try directory.write("a.pdf", "%PDF-1.7 x")
    let other = try directory.write("b.bin", [0, 0xFF])
    let picture = try directory.write("c", [0xFF, 0xD8, 0xFF, 0xE0])
    let parts = content(try request("--file", pdf, "--file", other, "--file", picture))
    #expect(parts.count == 4)
    #expect(parts[1].type.string == "input_file")
    #expect(parts[1].filename.string == "a.pdf")
    #expect(parts[1].file_data.string == "data:application/pdf;base64,JVBERi0xLjcgeA==")
    #expect(parts[2].file_data.string == "data:application/octet-stream;base64,AP8=")
    #expect(parts[3].type.string == "input_image")
    #expect(parts[3].image_url.string == "data:image/jpeg;base64,/9j/4A==")
  }

  @Test(
    arguments: [
      ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "image/png"),
      (Array("GIF89a".utf8), "image/gif"), (Array("RIFF1234WEBP".utf8), "image/webp"),
    ] as [([UInt8], String)])
  func pictureIsToldByItsFirstBytes(_ bytes: [UInt8], _ type: String) throws {
    let path = try directory.write("picture", bytes)
    let parts = content(try request("--image", path))
    #expect(
      parts.last?.image_url.string == "data:\(type);base64," + Data(bytes).base64EncodedString())
  }

  @Test func addressOfAPictureGoesAsItIs() throws {
    let parts = content(try request("--image", "https://example.org/\"a\".png"))
    #expect(parts.last?.image_url.string == "https://example.org/\"a\".png")
  }

  @Test func whatIsNoPictureOrNotThereIsAUsageError() throws {
    let path = try directory.write("text", "text")
    let wrong = Program("ask", "hi", "--image", path, socket: "/nowhere").finish()
    #expect(wrong.status == 2)
    #expect(wrong.error.contains("is no PNG, JPEG, GIF or WebP picture; convert it, or use --file"))
    let missing = Program("ask", "hi", "--file", "/nowhere/x", socket: "/nowhere").finish()
    #expect(missing.status == 2)
    #expect(
      missing.error == "hotline: cannot open /nowhere/x: No such file or directory; name a file\n")
  }

  @Test func schemaBecomesAStrictFormatWithTheFilesName() throws {
    let path = try directory.write("my list.v2.json", "{\n\"type\": \"object\"\n}\n")
    let format = try request("--schema", path).response.text.format
    #expect(format.type.string == "json_schema")
    #expect(format.name.string == "my_list")
    #expect(format.strict.bool == true)
    #expect(format.schema.type.string == "object")
  }

  @Test func wholeFormatGoesAsItIs() throws {
    let path = try directory.write("f", #"{"type":"json_schema","name":"n","schema":{}}"#)
    let format = try request("--schema", path).response.text.format
    #expect(format.name.string == "n")
    #expect(format.strict == .missing)
  }

  @Test(arguments: ["[]", "{", "", "{} {}"])
  func schemaThatIsNoObjectIsAUsageError(_ text: String) throws {
    let path = try directory.write("f", text)
    let ending = Program("ask", "hi", "--schema", path, socket: "/nowhere").finish()
    #expect(ending.status == 2)
    #expect(ending.error.contains("is not one JSON object; name a file with a JSON Schema"))
  }

  @Test func answerInTheFormOfASchemaIsALine() throws {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.delta(#"{\"a\":"#), Lines.delta("1}"), Lines.done("completed"))
    }
    let path = try directory.write("f", "{}")
    let ending = Program("ask", "hi", "--schema", path, socket: daemon.path).finish()
    #expect(ending == Program.Ending(status: 0, output: "{\"a\":1}\n", error: ""))
  }

  @Test func refusalIsAFailureThatSaysWhy() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(
        #"{"request_id":"ask","type":"response.refusal.done","refusal":"I may not."}"#,
        Lines.terminal("completed"), Lines.done("completed"))
    }
    let ending = Program("ask", "hi", socket: daemon.path).finish()
    #expect(ending.status == 1)
    #expect(ending.error == "hotline: refusal: the server says: I may not\n")
  }

  @Test func eventsArePrintedAsTheyAre() {
    let lines = [
      #"{"type":"hotline.queued","request_id":"ask","position":1,"reason":"busy"}"#,
      Lines.delta("x\u{85}"), Lines.terminal("completed"), Lines.done("completed"),
    ]
    for output in [Program.Output.pipe, .terminal] {
      let daemon = FakeDaemon { client in
        _ = client.readLine()
        for line in lines { client.send(line) }
      }
      let ending = Program("ask", "--events", "hi", socket: daemon.path, output: output).finish()
      #expect(ending.status == 0)
      let text = lines.map { $0 + "\n" }.joined()
      // On a terminal a control character is escaped, which JSON allows.
      #expect(
        ending.output
          == (output == .terminal ? text.replacing("\u{85}", with: "\\u0085") : text))
    }
  }

  @Test func eventsAndResponseExcludeEachOther() {
    let ending = Program("ask", "--events", "--json", "hi", socket: "/nowhere").finish()
    #expect(ending.status == 2)
    #expect(ending.error.hasPrefix("hotline: --json and --events exclude each other"))
  }
}
