"""An agency's system attached by AMQP, on pika. It knows docs/amqp.md and the contract's descriptors, and nothing of the gateway.

  agency.py conversation   submits, receives, settles and reads receipts; fails on anything unexpected
  agency.py publish        publishes what stands on standard input, one JSON object a line
  agency.py take           takes messages of a queue and prints them, one JSON object a line
  agency.py serve          takes deliveries over until it has so many documents
  agency.py watch          reads receipts until so many documents are delivered
  agency.py dossiers       publishes steps of dossiers, reads the answers, follows; fails on anything unexpected
  agency.py steps          publishes the steps of so many dossiers in turn, through every loss of the connection
  agency.py follow         follows dossiers until it has so many events, through every loss of the connection
"""

import argparse
import base64
import datetime
import json
import sys
import time
import uuid

import pika
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

PROTOBUF, JSON = "application/x-protobuf", "application/json"
SUBMISSIONS = "truc.submissions"


class Contract:
    """Messages of truc.v1, by the descriptors the gateway publishes."""

    def __init__(self, path):
        self.pool = descriptor_pool.DescriptorPool()
        with open(path, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
        for file in files.file:
            self.pool.Add(file)

    def _message(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))()

    def encode(self, name, value, content_type):
        message = json_format.ParseDict(value, self._message(name), descriptor_pool=self.pool)
        if content_type == PROTOBUF:
            return message.SerializeToString()
        return json_format.MessageToJson(message, descriptor_pool=self.pool, indent=None).encode()

    def decode(self, name, body, content_type):
        message = self._message(name)
        if content_type.startswith(PROTOBUF):
            message.ParseFromString(body)
        else:
            json_format.Parse(body, message, descriptor_pool=self.pool)
        return json_format.MessageToDict(message, descriptor_pool=self.pool)


class Agency:
    """One organ's connection."""

    def __init__(self, args, organ):
        self.organ, self.contract, self.content_type = organ, args.contract, args.content_type
        self.user = f"urn:truc:organ:{organ}"
        with open(f"{args.secrets}/{organ}.password", encoding="ascii") as file:
            credentials = pika.PlainCredentials(self.user, file.read().strip())
        self.connection = pika.BlockingConnection(
            pika.ConnectionParameters("127.0.0.1", args.port, args.vhost, credentials, heartbeat=10)
        )
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        self.channel.basic_qos(prefetch_count=32)

    def publish(self, routing_key, name, value):
        """Publishes a message of the contract; returns when the broker has it. Gives its message id."""
        message_id = str(uuid.uuid4())
        properties = pika.BasicProperties(
            content_type=self.content_type, type=name, user_id=self.user, delivery_mode=2, message_id=message_id
        )
        body = self.contract.encode(name, value, self.content_type)
        self.channel.basic_publish(SUBMISSIONS, routing_key, body, properties, mandatory=True)
        return message_id

    def submit(self, submission):
        return self.publish("submit", "truc.v1.SubmitRequest", {"submission": submission})

    def settle(self, *settlements):
        return self.publish("settle", "truc.v1.SettleRequest", {"settlements": list(settlements)})

    def report(self, *reports):
        return self.publish("status", "truc.v1.ReportStatusRequest", {"reports": list(reports)})

    def take(self, queue, seconds=30):
        """The next message of a queue, acknowledged: its properties, and what it says."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            method, properties, body = self.channel.basic_get(queue)
            if method:
                value = self.contract.decode(properties.type, body, properties.content_type)
                self.channel.basic_ack(method.delivery_tag)
                return properties, value
            self.connection.sleep(0.01)
        raise TimeoutError(f"nothing in {queue} within {seconds} s")

    def delivery(self, urgent=False):
        properties, value = self.take(f"truc.mailbox.{self.organ}{'.urgent' if urgent else ''}")
        expect(properties.type, "truc.v1.Delivery")
        expect(properties.content_type, self.content_type)
        expect(properties.message_id, value["deliveryId"])
        expect(properties.headers["x-truc-lease"], value["lease"])
        return value

    def events(self, count, seconds=30, of=None):
        """The next events of dossiers, acknowledged; fewer when they do not come."""
        queue = f"truc.dossiers.{of or self.organ}"
        for method, properties, body in self.channel.consume(queue, inactivity_timeout=seconds):
            if method is None:
                break
            self.channel.basic_ack(method.delivery_tag)
            yield properties, self.contract.decode(properties.type, body, properties.content_type)
            count -= 1
            if not count:
                break
        self.channel.cancel()

    def told(self):
        return self.take(f"truc.receipts.{self.organ}")


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r} in place of {wanted!r}")


def document(message_id, recipient, payload, urgency="URGENCY_NORMAL"):
    header = {
        "recipients": [recipient],
        "subject": "V/v kiểm thử liên thông",
        "code": {"number": "7816", "notation": "VPCP-TTĐT"},
        "promulgationDate": "2026-11-20",
        "urgency": urgency,
    }
    payload = base64.b64encode(payload).decode()
    return {
        "messageId": message_id,
        "document": {"header": header, "payload": payload, "mediaType": "application/pdf"},
    }


def settlement(delivery, **outcome):
    return {"deliveryId": delivery["deliveryId"], "lease": delivery["lease"], **outcome}


def done(args):
    """An edXML status message: the recipient has done with m1."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016"><edXMLEnvelope><edXMLHeader><MessageHeader>
<From><OrganId>{args.recipient}</OrganId><OrganName>Cơ quan thử</OrganName></From>
<ResponseFor><OrganId>{args.sender}</OrganId><Code>7816/VPCP-TTĐT</Code><DocumentId>{args.sender},7816</DocumentId></ResponseFor>
<StatusCode>06</StatusCode></MessageHeader></edXMLHeader></edXMLEnvelope></edXML>"""


class Receipts:
    """A sender's receipts as they come: in order, known by their numbers, repeats passed over."""

    def __init__(self, agency):
        self.agency, self.last, self.kinds, self.answers = agency, 0, {}, []
        self.values, self.statuses = {}, {}

    def read(self):
        properties, value = self.agency.told()
        if properties.type != "truc.v1.Receipt":
            self.answers.append((properties, value))
            return
        number = int(value["senderSequence"])
        expect(properties.message_id, f"{self.agency.organ}-{number}")
        expect(properties.correlation_id, value["messageId"])
        if number <= self.last:
            return
        expect(number, self.last + 1)
        self.last = number
        kind = value["kind"].removeprefix("RECEIPT_KIND_").lower()
        print(kind, value.get("cause", ""), value["time"], file=sys.stderr)
        if kind == "status":
            self.statuses[value["messageId"]] = self.statuses.get(value["messageId"], 0) + 1
            kind = f"status {self.statuses[value['messageId']]}"
        self.values[value["messageId"]] = value
        self.kinds.setdefault(value["messageId"], []).append(kind)

    def until(self, message_id, kind):
        while kind not in self.kinds.get(message_id, []):
            self.read()

    def answer(self):
        while not self.answers:
            self.read()
        return self.answers.pop(0)


def conversation(args):
    sender, recipient = Agency(args, args.sender), Agency(args, args.recipient)
    receipts = Receipts(sender)
    payload = bytes(range(256)) * 8

    # Three documents: taken over, refused, put off and then taken over.
    first = document("m1", args.recipient, payload)
    first["document"]["header"]["documentId"] = f"{args.sender},7816"
    sender.submit(first)
    one = recipient.delivery()
    expect(base64.b64decode(one["payload"]), payload)
    expect((one["envelope"]["messageId"], one["envelope"]["sender"]), ("m1", args.sender))
    recipient.settle(settlement(one, delivered={}))
    sender.submit(document("m2", args.recipient, b"2", urgency="URGENCY_EXPRESS"))
    recipient.settle(settlement(recipient.delivery(urgent=True), rejected={"reason": "sai nơi nhận"}))
    sender.submit(document("m3", args.recipient, b"3"))
    three = recipient.delivery()
    recipient.settle(settlement(three, deferred={"reason": "đang bảo trì"}))
    again = recipient.delivery()
    expect(again["deliveryId"], three["deliveryId"])
    expect((three["attempt"], again["attempt"]), (1, 2))
    recipient.settle(settlement(again, delivered={}))
    receipts.until("m1", "delivered")
    receipts.until("m2", "rejected")
    receipts.until("m3", "delivered")
    expect(receipts.kinds["m1"], ["accepted", "offered", "delivered"])
    expect(receipts.kinds["m2"], ["accepted", "offered", "rejected"])
    expect(receipts.kinds["m3"], ["accepted", "offered", "deferred", "offered", "delivered"])

    # The same again gets the first receipt again; what is refused says why.
    known = sender.submit(first)
    properties, answer = receipts.answer()
    expect((properties.type, properties.correlation_id), ("truc.v1.SubmitResult", known))
    expect((answer["messageId"], answer["acceptance"]["repeatedSubmission"]), ("m1", True))
    refused = [
        (document("m1", args.recipient, b"other"), "CONTENT_CONFLICT"),
        (document("m4", "H99", b"x"), "UNKNOWN_RECIPIENT"),
        ({**document("m5", args.recipient, b"x"), "sender": args.recipient}, "NOT_ACTING_FOR_ORGAN"),
    ]
    for submission, reason in refused:
        known = sender.submit(submission)
        properties, answer = receipts.answer()
        expect(properties.correlation_id, known)
        expect((answer["messageId"], answer["refusal"]["reason"]), (submission["messageId"], "ERROR_REASON_" + reason))

    # So do settlements that are not taken.
    mistaken = [
        (settlement(one, rejected={"reason": "đổi ý"}), "ALREADY_SETTLED"),
        (settlement({"deliveryId": "d999999", "lease": "a1"}, delivered={}), "DELIVERY_NOT_FOUND"),
        (settlement(one), "MISSING_FIELD"),
    ]
    for mistake, reason in mistaken:
        known = recipient.settle(mistake, settlement(one, delivered={}))
        properties, answer = recipient.told()
        expect((properties.type, properties.correlation_id), ("truc.v1.SettleResponse", known))
        [result] = answer["results"]
        expect(result["refusal"]["reason"], "ERROR_REASON_" + reason)

    # Business statuses come to the sender as receipts; the recipient hears only of what is not taken.
    def status(code, **more):
        return {"deliveryId": one["deliveryId"], "status": "BUSINESS_STATUS_" + code, **more}

    staff = {"department": "Văn thư", "name": "Trần Thị Mẫu"}
    recipient.report(status("ARRIVED"), status("ACCEPTED", reason="đã vào sổ", staff=staff))
    receipts.until("m1", "status 2")
    expect(receipts.kinds["m1"][3:], ["status 1", "status 2"])
    expect(receipts.values["m1"]["status"], "BUSINESS_STATUS_ACCEPTED")
    expect((receipts.values["m1"]["reason"], receipts.values["m1"]["staff"]), ("đã vào sổ", staff))
    mistaken = [
        (status("REFUSED", reason="đổi ý"), "STATUS_NOT_POSSIBLE"),
        (status("CHANGE_AGREED"), "NO_OPEN_REQUEST"),
        ({"deliveryId": "d999999", "status": "BUSINESS_STATUS_DONE"}, "DELIVERY_NOT_FOUND"),
    ]
    for mistake, reason in mistaken:
        known = recipient.report(mistake, status("ARRIVED"))
        properties, answer = recipient.told()
        expect((properties.type, properties.correlation_id), ("truc.v1.ReportStatusResponse", known))
        [result] = answer["results"]
        expect(result["refusal"]["reason"], "ERROR_REASON_" + reason)

    # A status message in edXML is the same report; its receipt is the other side's, so it is answered at once.
    known = recipient.submit({"edxml": {"file": base64.b64encode(done(args).encode()).decode()}})
    properties, answer = recipient.told()
    expect((properties.type, properties.correlation_id), ("truc.v1.SubmitResult", known))
    expect(answer["acceptance"]["receipt"]["status"], "BUSINESS_STATUS_DONE")
    receipts.until("m1", "status 3")
    expect(receipts.values["m1"]["senderSequence"], answer["acceptance"]["receipt"]["senderSequence"])

    # Rejected at the broker without a word: offered again.
    sender.submit(document("m6", args.recipient, b"6"))
    queue = f"truc.mailbox.{args.recipient}"
    for method, _, _ in recipient.channel.consume(queue, inactivity_timeout=30):
        recipient.channel.basic_nack(method.delivery_tag, requeue=False)
        break
    recipient.channel.cancel()
    six = recipient.delivery()
    expect(six["attempt"], 2)
    recipient.settle(settlement(six, delivered={}))
    receipts.until("m6", "delivered")
    expect(receipts.kinds["m6"], ["accepted", "offered", "deferred", "offered", "delivered"])
    print(json.dumps({"receipts": receipts.last}))


def publish(args):
    agency = Agency(args, args.organ)
    times, published = {}, 0
    try:
        for line in sys.stdin:
            message = json.loads(line)
            body = message.get("body")
            if isinstance(body, dict):
                body = args.contract.encode(message["type"], body, message.get("content_type", args.content_type))
            else:
                body = (body or "").encode("latin-1")
            properties = pika.BasicProperties(
                content_type=message.get("content_type", args.content_type),
                type=message.get("type"),
                user_id=message.get("user_id", agency.user) or None,
                message_id=message.get("message_id"),
                headers=message.get("headers"),
                delivery_mode=2,
            )
            exchange = message.get("exchange", SUBMISSIONS)
            times[message.get("message_id")] = time.time()
            agency.channel.basic_publish(exchange, message.get("routing_key", "submit"), body, properties, mandatory=True)
            published += 1
            agency.connection.sleep(args.pause)
    except pika.exceptions.ChannelClosedByBroker as closed:
        print(json.dumps({"published": published, "closed": closed.reply_code, "text": closed.reply_text}))
        return
    times.pop(None, None)
    print(json.dumps({"published": published, "times": times}))


def take(args):
    agency = Agency(args, args.organ)
    try:
        for _ in range(args.count):
            properties, value = agency.take(args.queue, args.seconds)
            shown = {"type": properties.type, "correlation_id": properties.correlation_id, "value": value}
            if "time" in value:
                shown["epoch"] = datetime.datetime.fromisoformat(value["time"]).timestamp()
            print(json.dumps({**shown, "message_id": properties.message_id}))
    except TimeoutError as late:
        print(json.dumps({"late": str(late)}))


def serve(args):
    agency, seen, repeated = Agency(args, args.organ), {}, 0
    while len(seen) < args.count:
        delivery = agency.delivery()
        repeated += delivery["deliveryId"] in seen
        seen[delivery["deliveryId"]] = delivery["envelope"]["messageId"]
        agency.settle(settlement(delivery, delivered={}))
    print(json.dumps({"messages": list(seen.values()), "repeated": repeated}))


def watch(args):
    agency, numbers, delivered, repeated = Agency(args, args.organ), set(), set(), 0
    while len(delivered) < args.count:
        properties, value = agency.told()
        if properties.type != "truc.v1.Receipt":
            continue
        number = int(value["senderSequence"])
        repeated += number in numbers
        numbers.add(number)
        if value["kind"] == "RECEIPT_KIND_DELIVERED":
            delivered.add(value["messageId"])
    gaps = max(numbers) - len(numbers)
    print(json.dumps({"receipts": len(numbers), "repeated": repeated, "gaps": gaps, "delivered": list(delivered)}))


def step(organ, dossier, number, status="ACCEPTED", **more):
    return {
        "dossierCode": f"{organ}-20260105-{dossier}",
        "step": number,
        "procedureCode": "1.004194",
        "status": "DOSSIER_STATUS_" + status,
        "occurredTime": f"2026-01-05T01:00:{number % 60:02}Z",
        **more,
    }


class Answers:
    """What a publisher of steps is answered."""

    def __init__(self, agency):
        self.agency = agency

    def publish(self, *steps, **more):
        known = self.agency.publish("steps", "truc.v1.PublishRequest", {"steps": list(steps), **more})
        properties, answer = self.agency.told()
        expect((properties.type, properties.correlation_id), ("truc.v1.PublishResponse", known))
        expect(properties.content_type, self.agency.content_type)
        return answer["results"]

    def refused(self, reason, *steps, **more):
        for result in self.publish(*steps, **more):
            expect(result["refusal"]["reason"], "ERROR_REASON_" + reason)


def dossiers(args):
    owner, other, reader = (Agency(args, organ) for organ in args.organs)
    answers, organ = Answers(owner), owner.organ

    # Two steps, of which the first is repeated; one is of a code nobody knows; a gap is told at once.
    first = step(organ, 1, 1, note="Tiếp nhận hồ sơ")
    one, two = answers.publish(first, step(organ, 1, 2, "IN_PROCESS"))
    expect((one["position"], two["position"]), ("1", "2"))
    expect(one["dossierCode"], f"{organ}-20260105-1")
    again = answers.publish(first)[0]
    expect((again["position"], again["repeatedStep"]), ("1", True))
    own = {"status": 0, "ownStatus": {"codeSet": "igate", "code": "không có"}}
    expect(answers.publish({**step(organ, 1, 3), **own})[0]["flags"], ["STEP_FLAG_UNMAPPED"])
    held = answers.publish(step(organ, 2, 3, "IN_PROCESS"))[0]
    expect((held["missingSteps"], "position" in held, "heldUntilTime" in held), ([1, 2], False, True))

    # What cannot be is refused by itself, and says why.
    good, conflict = answers.publish(step(organ, 3, 1), step(organ, 1, 2, "STOPPED"))
    expect(good["position"], "4")
    expect(conflict["refusal"]["reason"], "ERROR_REASON_STEP_CONFLICT")
    answers.refused("NOT_DOSSIER_OWNER", step(other.organ, 1, 1))
    answers.refused("INVALID_DOSSIER_CODE", {**step(organ, 1, 1), "dossierCode": "x"})
    answers.refused("UNKNOWN_DOSSIER_STATUS", {**step(organ, 4, 1), "status": 11})
    answers.refused("NOT_ACTING_FOR_ORGAN", step(organ, 4, 1), organ=other.organ)
    answers.refused("MISSING_FIELD")
    Answers(other).refused("NOT_DOSSIER_OWNER", step(organ, 4, 1))

    # The reader gets them in order; the owner its own; the other nothing, although it wants everything.
    wanted = [(1, 1), (1, 2), (1, 3), (3, 1)]
    for agency in [reader, owner]:
        for position, (properties, event) in enumerate(agency.events(len(wanted)), 1):
            (dossier, number), headers = wanted[position - 1], properties.headers
            expect((properties.type, properties.content_type), ("truc.v1.DossierEvent", agency.content_type))
            expect((properties.message_id, headers["x-truc-position"]), (str(position), position))
            expect(headers.get("x-truc-previous", position - 1), position - 1)
            expect((event["dossierCode"], event["step"]["step"]), (f"{organ}-20260105-{dossier}", number))
            expect((headers["x-truc-dossier"], headers["x-truc-step"]), (event["dossierCode"], number))
            expect((headers["x-truc-owner"], headers["x-truc-procedure"]), (organ, "1.004194"))
            expect(headers.get("x-truc-flags"), "UNMAPPED" if number == 3 else None)
    expect(list(other.events(1, seconds=1)), [])
    try:
        list(other.events(1, of=owner.organ))
        raise AssertionError("an agency reads another's dossiers")
    except pika.exceptions.ChannelClosedByBroker as closed:
        expect(closed.reply_code, 403)
    print(json.dumps({"events": len(wanted)}))


def lasting(args, work):
    """Does something with a connection until it says it is done, with a new one whenever the last is lost."""
    deadline, lost = time.monotonic() + args.seconds, 0
    while time.monotonic() < deadline:
        try:
            if work(Agency(args, args.organ), deadline):
                return lost
        except (pika.exceptions.AMQPError, OSError):
            lost += 1
            time.sleep(0.2)
    raise TimeoutError(f"not done within {args.seconds} s")


def steps(args):
    statuses = ["ACCEPTED"] + ["IN_PROCESS"] * (args.steps - 1)
    waiting = [
        step(args.organ, dossier, number + 1, statuses[number])
        for number in range(args.steps)
        for dossier in range(1, args.dossiers + 1)
    ]

    def publish(agency, _deadline):
        while waiting:
            agency.publish("steps", "truc.v1.PublishRequest", {"steps": waiting[: args.together]})
            del waiting[: args.together]
            agency.connection.sleep(args.pause)
        return True

    print(json.dumps({"lost": lasting(args, publish)}))


def follow(args):
    order, last, found = {}, 0, {"events": 0, "repeated": 0, "gaps": 0, "redelivered": 0, "disordered": 0}

    def read(agency, deadline):
        nonlocal last
        queue = f"truc.dossiers.{args.organ}"
        for method, properties, body in agency.channel.consume(queue, inactivity_timeout=1):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found} within {args.seconds} s")
            if method is None:
                continue
            position, previous = properties.headers["x-truc-position"], properties.headers.get("x-truc-previous")
            event = agency.contract.decode(properties.type, body, properties.content_type)
            found["redelivered"] += method.redelivered
            if position <= last:
                found["repeated"] += 1
            else:
                found["gaps"] += last > 0 and (previous or 0) > last
                dossier, number = event["dossierCode"], event["step"]["step"]
                found["disordered"] += number != order.get(dossier, 0) + 1
                order[dossier], last = number, position
                found["events"] += 1
            agency.channel.basic_ack(method.delivery_tag)
            if found["events"] >= args.count:
                return True
        return False

    lost = lasting(args, read)
    print(json.dumps({**found, "lost": lost, "dossiers": len(order)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--vhost", default="/")
    parser.add_argument("--secrets", required=True)
    parser.add_argument("--descriptors", required=True)
    parser.add_argument("--form", choices=["protobuf", "json"], default="json")
    commands = parser.add_subparsers(dest="command", required=True)
    talk = commands.add_parser("conversation")
    talk.add_argument("sender")
    talk.add_argument("recipient")
    publishing = commands.add_parser("publish")
    publishing.add_argument("organ")
    publishing.add_argument("--pause", type=float, default=0)
    taking = commands.add_parser("take")
    taking.add_argument("organ")
    taking.add_argument("queue")
    taking.add_argument("--count", type=int, default=1)
    taking.add_argument("--seconds", type=float, default=30)
    for name in ["serve", "watch"]:
        counting = commands.add_parser(name)
        counting.add_argument("organ")
        counting.add_argument("--count", type=int, required=True)
    talk = commands.add_parser("dossiers")
    talk.add_argument("organs", nargs=3)
    publishing = commands.add_parser("steps")
    publishing.add_argument("organ")
    publishing.add_argument("--dossiers", type=int, required=True)
    publishing.add_argument("--steps", type=int, required=True)
    publishing.add_argument("--together", type=int, default=1)
    publishing.add_argument("--pause", type=float, default=0)
    publishing.add_argument("--seconds", type=float, default=240)
    following = commands.add_parser("follow")
    following.add_argument("organ")
    following.add_argument("--count", type=int, required=True)
    following.add_argument("--seconds", type=float, default=240)
    args = parser.parse_args()
    args.contract = Contract(args.descriptors)
    args.content_type = PROTOBUF if args.form == "protobuf" else JSON
    work = [conversation, publish, take, serve, watch, dossiers, steps, follow]
    {does.__name__: does for does in work}[args.command](args)


if __name__ == "__main__":
    main()
