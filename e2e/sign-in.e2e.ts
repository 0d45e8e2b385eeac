import { expect, signIn, test } from './app.ts';

test('a person who is not signed in is asked to, and comes back to where they were going', async ({ page, dev }) => {
  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  await expect(page.getByRole('heading', { name: /sign in/i })).toBeVisible();
  await page.getByLabel('Email').fill(dev.user.email);
  await page.getByLabel('Password', { exact: true }).fill(dev.user.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`**/t/${dev.tenant.slug}/pipelines`);
});

test('a wrong password says so and keeps the email', async ({ page, dev }) => {
  await page.goto('/sign-in');
  await page.getByLabel('Email').fill(dev.user.email);
  await page.getByLabel('Password', { exact: true }).fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert').filter({ hasText: /password/i })).toBeVisible();
  await expect(page.getByLabel('Email')).toHaveValue(dev.user.email);
});

test('each tenant has its own door, and nothing of the other behind it', async ({ page, dev }) => {
  await signIn(page, dev.otherTenant.user);
  await expect(page).toHaveURL(new RegExp(`/t/${dev.otherTenant.slug}$`));
  await page.goto(`/t/${dev.tenant.slug}`);
  await expect(page.getByRole('heading', { name: 'There is nothing at this address' })).toBeVisible();
  await page.goto(`/t/${dev.otherTenant.slug}/pipelines/${dev.demo.pipelineId}`);
  await expect(page.getByText('There is no pipeline under this id')).toBeVisible();
});
