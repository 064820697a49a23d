import assert from "node:assert/strict";
import { FakeTime } from "../../tests/support/fake_clock.ts";
