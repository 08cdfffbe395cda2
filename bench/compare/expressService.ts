/**
 * The small design that this product replaces, as the baseline: Express, a new publisher for each request, no validation,
 * raw errors. Reads PORT, PROJECT and TOPIC from the environment.
 */
import { PubSub } from "@google-cloud/pubsub";
import express from "express";

const { PORT = "8080", PROJECT = "", TOPIC = "" } = process.env;
const pubsub = new PubSub({ projectId: PROJECT });
const app = express();
app.use(express.json());

app.get("/healthz", (_request, response) => {
  response.json({ status: "ok" });
});

app.post("/event/", async (request, response) => {
  try {
    // A topic object has its own queue, so messages are never batched.
    const messageId = await pubsub.topic(TOPIC).publishMessage({ json: request.body as object });
    response.status(200).json({ messageId });
  } catch (error) {
    response.status(500).send(String(error));
  }
});

app.listen(Number(PORT), "127.0.0.1");
